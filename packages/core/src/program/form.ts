import { InvalidInputError } from "../errors.js";
import { reading } from "../options.js";
import { type Expression, nodeOf } from "./expression.js";
import { type Scalar, scalarOf, type Table } from "./sources.js";
import { type OperationName, type ProgramType, programLimits, type VariableName } from "./types.js";

/** Purpose of a program: it says which keys are visible, or it changes scores. */
export type ProgramKind = "mask" | "score";

/** One value of a program; `args` are indices of earlier nodes. */
export type ProgramNode = { readonly type: ProgramType; readonly args: readonly number[] } & (
  | { readonly op: "constant"; readonly value: number }
  | { readonly op: "variable"; readonly name: VariableName }
  /** The value of scalar `slot`. */
  | { readonly op: "scalar"; readonly slot: number }
  /** An element of table `slot`; each index is clamped to its axis. */
  | { readonly op: "table"; readonly slot: number }
  | { readonly op: OperationName }
);

/**
 * The canonical form of a program: plain data without the contents of tables and scalars. Equal
 * subexpressions are one node, operands of an operation have one type (`astype` stands where one was
 * converted), and equal forms have equal keys.
 */
export interface ProgramForm<K extends ProgramKind = ProgramKind> {
  readonly kind: K;
  /** In an order in which operands come first; the last one is the result: bool of a mask, float32 of a score. */
  readonly nodes: readonly ProgramNode[];
  readonly tables: readonly { readonly dtype: ProgramType; readonly rank: number }[];
  readonly scalars: readonly ProgramType[];
  /** Identifies the form: derived from everything else. */
  readonly key: string;
}

/** A form with the tables and scalars that its slots stand for. */
export interface BuiltForm<K extends ProgramKind> {
  readonly form: ProgramForm<K>;
  readonly tables: readonly Table[];
  readonly scalars: readonly Scalar[];
}

/**
 * The canonical form of an expression.
 *
 * @throws InvalidInputError for a program beyond the limits, and for a score in a mask
 */
export function formOf<K extends ProgramKind>(kind: K, result: Expression): BuiltForm<K> {
  const builder = new FormBuilder(kind);
  builder.index(result);
  const { nodes, texts, tables, scalars } = builder;
  const form: ProgramForm<K> = Object.freeze({
    kind,
    nodes: Object.freeze(nodes),
    tables: Object.freeze(tables.map(({ type, rank }) => Object.freeze({ dtype: type, rank }))),
    scalars: Object.freeze(scalars.map(({ type }) => type)),
    key: `${kind}(${texts.join(";")})`,
  });
  return { form: interned(form), tables, scalars };
}

/** Forms by their keys, so that equal programs share one object; beyond this many the table starts anew. */
const forms = new Map<string, ProgramForm>();
const mostForms = 1024;

function interned<K extends ProgramKind>(form: ProgramForm<K>): ProgramForm<K> {
  const known = forms.get(form.key);
  if (known) return known as ProgramForm<K>;
  if (forms.size >= mostForms) forms.clear();
  forms.set(form.key, form);
  return form;
}

const numbers = new WeakMap<ProgramForm, number>();
let count = 0;

/** A number that no other form has; equal forms may have several. */
export function numberOf(form: ProgramForm): number {
  let number = numbers.get(form);
  if (number === undefined) {
    number = ++count;
    numbers.set(form, number);
  }
  return number;
}

class FormBuilder {
  readonly nodes: ProgramNode[] = [];
  /** Text of each node in the key. */
  readonly texts: string[] = [];
  readonly tables: Table[] = [];
  readonly scalars: Scalar[] = [];
  readonly #kind: ProgramKind;
  readonly #byExpression = new Map<Expression, number>();
  readonly #byText = new Map<string, number>();

  constructor(kind: ProgramKind) {
    this.#kind = kind;
  }

  /** Index of an expression's node, which is added where there is none yet. */
  index(expression: Expression): number {
    const known = this.#byExpression.get(expression);
    if (known !== undefined) return known;
    const index = this.#add(expression);
    this.#byExpression.set(expression, index);
    return index;
  }

  #add(expression: Expression): number {
    const { type } = expression;
    const node = nodeOf(expression);
    switch (node.kind) {
      case "constant":
        return this.#put(
          { op: "constant", type, args: [], value: node.value },
          constantText(type, node.value),
        );
      case "variable":
        if (node.name === "score" && this.#kind === "mask") {
          throw new InvalidInputError(
            "maskMod",
            "an expression of batch, head, query, key, queryIndex and keyIndex",
            "one of the score, which only a score program has",
          );
        }
        return this.#put({ op: "variable", type, args: [], name: node.name }, node.name);
      case "scalar": {
        const slot = this.#slot(this.scalars, scalarOf(node.source), "scalars");
        return this.#put({ op: "scalar", type, args: [], slot }, `$${slot}${type[0]}`);
      }
      case "table": {
        const args = node.args.map((arg) => this.index(arg));
        const slot = this.#slot(this.tables, node.source as Table, "tables");
        return this.#put({ op: "table", type, args, slot }, `@${slot}${type[0]}(${args})`);
      }
      case "operation": {
        const args = node.args.map((arg) => this.index(arg));
        const name = node.name === "astype" ? `astype.${type[0]}` : node.name;
        return this.#put({ op: node.name, type, args }, `${name}(${args})`);
      }
    }
  }

  #put(node: ProgramNode, text: string): number {
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    const index = this.nodes.length;
    if (index === programLimits.nodes) {
      throw new InvalidInputError(
        this.#kind === "mask" ? "maskMod" : "scoreMod",
        `a program of at most ${programLimits.nodes} different expressions`,
        "one of more",
      );
    }
    this.nodes.push(Object.freeze({ ...node, args: Object.freeze(node.args) }));
    this.texts.push(text);
    this.#byText.set(text, index);
    return index;
  }

  #slot<S>(list: S[], source: S, name: string): number {
    const known = list.indexOf(source);
    if (known >= 0) return known;
    if (list.length === programLimits.sources) {
      throw new InvalidInputError(
        this.#kind === "mask" ? "maskMod" : "scoreMod",
        `a program of at most ${programLimits.sources} ${name}`,
        "one of more",
      );
    }
    return list.push(source) - 1;
  }
}

function constantText(type: ProgramType, value: number): string {
  return `${type[0]}${Object.is(value, -0) ? "-0" : value}`;
}

/** Which variables a form reads. */
export function variablesOf(form: ProgramForm): ReadonlySet<VariableName> {
  return reading("form", () => {
    const names = new Set<VariableName>();
    for (const node of form.nodes) if (node.op === "variable") names.add(node.name);
    return names;
  });
}
