import { dependence, dependencesOf, type ProgramForm, type ProgramNode } from "@heed/core/program";

/** A value in WGSL: the same for the four pairs that a kernel works on at once, or one for each. */
export interface Value {
  readonly text: string;
  readonly four: boolean;
}

/** Names that a program's values are made of at some place of a kernel. */
export interface Surroundings {
  /** A variable. */
  variable(name: string): Value;
  /** A scalar of the program, or a constant that is infinite or no number. */
  scalar(slot: number): string;
  special(value: number): string;
  /** Elements of a table, one for each index of every axis. */
  element(slot: number, dtype: string, args: readonly Value[]): Value;
  /** A value that was computed before. */
  known(node: number): Value | undefined;
}

const types = { int32: "i32", float32: "f32", bool: "bool" } as const;

/** The WGSL type of a value. */
export function typeOf(type: keyof typeof types, four: boolean): string {
  return four ? `vec4<${types[type]}>` : types[type];
}

/** Four copies of a value that is the same for all. */
export function fourOf(value: Value, type: keyof typeof types): string {
  return value.four ? value.text : `vec4<${types[type]}>(${value.text})`;
}

const infix: Readonly<Record<string, string>> = {
  add: "+",
  subtract: "-",
  multiply: "*",
  equal: "==",
  notEqual: "!=",
  less: "<",
  lessEqual: "<=",
  greater: ">",
  greaterEqual: ">=",
  and: "&",
  or: "|",
};

/** Operations of whose operands the least error can change the result by much. */
const discrete: ReadonlySet<string> = new Set([
  "floor",
  "floorDivide",
  "remainder",
  "astype",
  "equal",
  "notEqual",
  "less",
  "lessEqual",
  "greater",
  "greaterEqual",
]);

/** Facts about a form that its text depends on. */
export interface Analysis {
  readonly form: ProgramForm;
  readonly dependences: Uint8Array;
  /** Nodes that a comparison or a step of rounding is made of: quotients and roots of these are exact where they can be. */
  readonly exact: Uint8Array;
}

export function analyse(form: ProgramForm): Analysis {
  const { nodes } = form;
  const exact = new Uint8Array(nodes.length);
  for (let n = nodes.length - 1; n >= 0; n--) {
    const { op, args } = nodes[n] as ProgramNode;
    if (exact[n] === 0 && !discrete.has(op)) continue;
    for (const arg of args) exact[arg] = 1;
  }
  return { form, dependences: dependencesOf(form), exact };
}

/** Bits of variables that differ from row to row of the queries. */
export const rowBits: number = dependence.head | dependence.query;

/**
 * Writes statements that compute nodes of a program, each once, in the order in which they are needed. What is
 * the same for the four pairs of a kernel's step is computed once for them.
 */
export class ExpressionWriter {
  readonly statements: string[] = [];
  readonly #analysis: Analysis;
  readonly #place: Surroundings;
  readonly #prefix: string;
  readonly #values = new Map<number, Value>();

  /** @param prefix of the names of values */
  constructor(analysis: Analysis, place: Surroundings, prefix: string) {
    this.#analysis = analysis;
    this.#place = place;
    this.#prefix = prefix;
  }

  value(n: number): Value {
    let value = this.#values.get(n) ?? this.#place.known(n);
    if (value === undefined) value = this.#write(n);
    this.#values.set(n, value);
    return value;
  }

  /** Whether a float is −∞, as far as its operands tell; undefined: its bits do. */
  minusInfinity(n: number): Value | undefined {
    const node = this.#node(n);
    const { op } = node;
    if (op === "constant") {
      return node.value === Number.NEGATIVE_INFINITY ? { text: "true", four: false } : undefined;
    }
    if (op === "scalar" || op === "table") {
      const { text, four } = this.value(n);
      return {
        text: `(${this.#bits(text, four)} == ${four ? "vec4<u32>(0xff800000u)" : "0xff800000u"})`,
        four,
      };
    }
    const [a, b, c] = node.args as readonly [number, number?, number?];
    if (op === "subtract") return this.minusInfinity(a);
    if (op === "add" || op === "minimum") {
      const [x, y] = [this.minusInfinity(a), this.minusInfinity(b as number)];
      if (x === undefined || y === undefined) return x ?? y;
      return x.four || y.four
        ? { text: `(${fourOf(x, "bool")} | ${fourOf(y, "bool")})`, four: true }
        : { text: `(${x.text} | ${y.text})`, four: false };
    }
    if (op !== "where") return undefined;
    const [x, y] = [this.minusInfinity(b as number), this.minusInfinity(c as number)];
    if (x === undefined && y === undefined) return undefined;
    const no: Value = { text: "false", four: false };
    return this.#choose(this.value(a), x ?? no, y ?? no, "bool");
  }

  #node(n: number): ProgramNode {
    return this.#analysis.form.nodes[n] as ProgramNode;
  }

  #bits(text: string, four: boolean): string {
    return `bitcast<${four ? "vec4<u32>" : "u32"}>(${text})`;
  }

  #write(n: number): Value {
    const node = this.#node(n);
    switch (node.op) {
      case "constant":
        return { text: this.#constant(node.type, node.value), four: false };
      case "variable":
        return this.#place.variable(node.name);
      case "scalar":
        return { text: this.#place.scalar(node.slot), four: false };
      case "table": {
        const args = node.args.map((arg) => this.value(arg));
        return this.#name(n, this.#place.element(node.slot, node.type, args));
      }
    }
    return this.#name(n, this.#operation(n, node));
  }

  #name(n: number, { text, four }: Value): Value {
    const name = `${this.#prefix}${n}`;
    this.statements.push(`let ${name} = ${text};`);
    return { text: name, four };
  }

  #constant(type: string, value: number): string {
    if (type === "bool") return value === 0 ? "false" : "true";
    if (type === "int32") return value === -(2 ** 31) ? "i32(-2147483648)" : `(${value}i)`;
    if (!Number.isFinite(value)) return this.#place.special(value);
    return Object.is(value, -0) ? "(-0f)" : `(${value}f)`;
  }

  #operation(n: number, node: ProgramNode): Value {
    const { op, type, args } = node;
    const values = args.map((arg) => this.value(arg));
    const [a, b, c] = values as unknown as readonly [Value, Value, Value];
    const chosen = op === "where" ? 1 : 0;
    const from = this.#node(args[chosen] as number).type;
    const four = values.some((value) => value.four);
    if (op === "where") return this.#choose(a, b, c, type);
    const [x, y] = values.map((value) => (four ? fourOf(value, from) : value.text)) as [
      string,
      string,
    ];
    const of = (text: string): Value => ({ text, four });
    const call = (name: string, ...operands: string[]): Value =>
      of(`${name}${four ? "4" : ""}(${operands.join(", ")})`);
    const symbol = infix[op];
    if (symbol !== undefined) return of(`(${x} ${symbol} ${y})`);
    switch (op) {
      case "not":
        return of(`!${x}`);
      case "negative":
        return of(`-${x}`);
      case "minimum":
        return of(`min(${x}, ${y})`);
      case "maximum":
        return of(`max(${x}, ${y})`);
      case "abs":
      case "floor":
        return of(`${op}(${x})`);
      case "astype":
        return this.#convert(x, four, from, type);
      case "exp":
      case "log":
      case "tanh":
        return call(`program_${op}`, x);
      case "sqrt":
        return this.#analysis.exact[n] ? call("program_sqrt", x) : of(`sqrt(${x})`);
      case "divide":
        if (!this.#analysis.exact[n] && this.#isNonzero(args[1] as number)) {
          return of(`(${x} / ${y})`);
        }
        return call(this.#analysis.exact[n] ? "exact_quotient" : "program_quotient", x, y);
      case "floorDivide":
      case "remainder":
        return from === "int32"
          ? this.#divideInts(op, args[1] as number, x, y, four)
          : call(`float_${op}`, x, y);
      default:
        throw new Error(`no operation ${op}`);
    }
  }

  /** Whether a node is a constant that floats can be divided by: not 0, nor one that WGSL may read as 0. */
  #isNonzero(n: number): boolean {
    const node = this.#node(n);
    return (
      node.op === "constant" && Number.isFinite(node.value) && Math.abs(node.value) >= 2 ** -126
    );
  }

  /** Powers of 2 divide by shifts, which round towards −∞ as quotients do. */
  #divideInts(
    op: "floorDivide" | "remainder",
    divisor: number,
    x: string,
    y: string,
    four: boolean,
  ): Value {
    const node = this.#node(divisor);
    const constant = node.op === "constant" ? node.value : 0;
    const bits = Math.log2(constant);
    if (constant > 0 && Number.isInteger(bits)) {
      const mask = `${constant - 1}i`;
      const text =
        op === "remainder"
          ? `(${x} & ${four ? `vec4<i32>(${mask})` : mask})`
          : `(${x} >> ${four ? `vec4<u32>(${bits}u)` : `${bits}u`})`;
      return { text, four };
    }
    return { text: `int_${op}${four ? "4" : ""}(${x}, ${y})`, four };
  }

  #choose(condition: Value, a: Value, b: Value, type: keyof typeof types): Value {
    const four = condition.four || a.four || b.four;
    const [x, y] = [a, b].map((value) => (four ? fourOf(value, type) : value.text));
    return { text: `select(${y}, ${x}, ${condition.text})`, four };
  }

  #convert(x: string, four: boolean, from: string, to: keyof typeof types): Value {
    const type = typeOf(to, four);
    if (to === "bool") {
      const zero = typeOf(from as keyof typeof types, four);
      return { text: `(${x} != ${zero}())`, four };
    }
    if (from === "float32" && to === "int32") {
      return { text: `float_to_int${four ? "4" : ""}(${x})`, four };
    }
    return { text: `${type}(${x})`, four };
  }
}
