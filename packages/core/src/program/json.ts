import { describeValue, InvalidInputError } from "../errors.js";
import { isInt32, isList, reading, readOptions } from "../options.js";
import type { HostTensor } from "../tensor/tensor.js";
import { constant, type Expression, isExpression, variables } from "./expression.js";
import type { ProgramKind } from "./form.js";
import { functionsByName } from "./functions.js";
import { readTables, Scalar, scalarValue, type Table } from "./sources.js";
import type { ProgramJson, ProgramNodeJson } from "./to-json.js";
import {
  isProgramType,
  operandCounts,
  type ProgramType,
  programLimits,
  type VariableName,
} from "./types.js";

/** The data of a program that is read from JSON. */
export interface ProgramSources {
  /** One for each table of the program, in its order. */
  readonly tables?: readonly (Table | HostTensor)[] | undefined;
  /** One for each scalar, in its order. Default: new ones with the values in the JSON. */
  readonly scalars?: readonly Scalar[] | undefined;
}

const words: Readonly<Record<string, number>> = {
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
  NaN: Number.NaN,
  "-0": -0,
};

function numberFromJson(argument: string, value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value === "string" && Object.hasOwn(words, value)) return words[value] as number;
  throw new InvalidInputError(argument, "a number", describeValue(value));
}

const sourceNames: ReadonlySet<keyof ProgramSources> = new Set(["tables", "scalars"]);

/**
 * The expression of a program in JSON, built and checked anew.
 *
 * @throws InvalidInputError naming the member at fault, e.g. `program.nodes[3]`
 */
export function expressionFromJson(
  value: unknown,
  given?: ProgramSources,
): { readonly kind: ProgramKind; readonly expression: Expression } {
  const options = readOptions("sources", given, sourceNames);
  const tables = readTables("sources.tables", options.tables);
  const scalars = options.scalars;
  if (typeof value !== "object" || value === null) {
    throw new InvalidInputError("program", "an object, as toJSON gives", describeValue(value));
  }
  return reading("program", () => build(value as Partial<ProgramJson>, tables, scalars));
}

function build(
  json: Partial<ProgramJson>,
  tables: readonly Table[],
  givenScalars: readonly Scalar[] | undefined,
): { readonly kind: ProgramKind; readonly expression: Expression } {
  const { format, kind } = json;
  if (format !== "heed-program-1") {
    throw new InvalidInputError("program.format", '"heed-program-1"', describeValue(format));
  }
  if (kind !== "mask" && kind !== "score") {
    throw new InvalidInputError("program.kind", '"mask" or "score"', describeValue(kind));
  }
  const nodes = list("program.nodes", json.nodes, programLimits.nodes);
  const described = list("program.tables", json.tables, programLimits.sources);
  checkTables(described, tables);
  const scalars = readScalars(
    list("program.scalars", json.scalars, programLimits.sources),
    givenScalars,
  );
  const built: Expression[] = [];
  for (let index = 0; index < nodes.length; index++) {
    const node = new NodeReader(`program.nodes[${index}]`, nodes[index], built);
    built.push(node.read(tables, scalars));
  }
  const expression = built.at(-1);
  if (!expression) throw new InvalidInputError("program.nodes", "at least one node", "none");
  return { kind, expression };
}

function list(argument: string, value: unknown, most: number): readonly unknown[] {
  if (!isList(value)) throw new InvalidInputError(argument, "an array", describeValue(value));
  if (value.length <= most) return value;
  throw new InvalidInputError(argument, `at most ${most} elements`, `${value.length}`);
}

/** An entry of tables or scalars, with a dtype; the rest of it is not checked. */
interface SourceJson {
  readonly dtype: ProgramType;
  readonly rank?: unknown;
  readonly value?: unknown;
}

function sourceFromJson(argument: string, entry: unknown): SourceJson {
  if (typeof entry !== "object" || entry === null) {
    throw new InvalidInputError(argument, "an object with a dtype", describeValue(entry));
  }
  const { dtype } = entry as { dtype?: unknown };
  if (isProgramType(dtype)) return entry as SourceJson;
  const expected = '"int32", "float32" or "bool"';
  throw new InvalidInputError(`${argument}.dtype`, expected, describeValue(dtype));
}

function checkTables(entries: readonly unknown[], tables: readonly Table[]): void {
  const described = Array.from(entries, (entry, slot) => {
    const argument = `program.tables[${slot}]`;
    const { dtype, rank } = sourceFromJson(argument, entry);
    if (isInt32(rank) && rank >= 1 && rank <= programLimits.rank) return { dtype, rank };
    const expected = `an integer from 1 to ${programLimits.rank}`;
    throw new InvalidInputError(`${argument}.rank`, expected, describeValue(rank));
  });
  if (described.length !== tables.length) {
    throw new InvalidInputError("sources.tables", `${described.length} tables`, `${tables.length}`);
  }
  for (const [slot, { dtype, rank }] of described.entries()) {
    const table = tables[slot] as Table;
    if (dtype === table.type && rank === table.rank) continue;
    throw new InvalidInputError(
      `sources.tables[${slot}]`,
      `a table of ${describeValue(dtype)} of rank ${rank}`,
      `one of ${table.type} of rank ${table.rank}`,
    );
  }
}

function readScalars(
  entries: readonly unknown[],
  given: readonly Scalar[] | undefined,
): readonly Scalar[] {
  const described = Array.from(entries, (entry, slot) => {
    const argument = `program.scalars[${slot}]`;
    const { dtype, value } = sourceFromJson(argument, entry);
    const plain = dtype === "bool" ? value : numberFromJson(`${argument}.value`, value);
    return { dtype, value: scalarValue(`${argument}.value`, dtype, plain) };
  });
  if (given === undefined) {
    return described.map(({ dtype, value }) => new Scalar(dtype, { value }));
  }
  if (!isList(given) || given.length !== described.length) {
    const expected = `${described.length} scalars`;
    throw new InvalidInputError("sources.scalars", expected, describeValue(given));
  }
  for (const [slot, { dtype }] of described.entries()) {
    const entry = given[slot];
    if (entry instanceof Scalar && entry.type === dtype) continue;
    const expected = `a scalar of ${describeValue(dtype)}`;
    throw new InvalidInputError(`sources.scalars[${slot}]`, expected, describeValue(entry));
  }
  return given;
}

/** One node, whose operands are among those before it. */
class NodeReader {
  readonly #argument: string;
  readonly #node: ProgramNodeJson;
  readonly #built: readonly Expression[];

  constructor(argument: string, node: unknown, built: readonly Expression[]) {
    if (typeof node !== "object" || node === null) {
      throw new InvalidInputError(argument, "a node", describeValue(node));
    }
    this.#argument = argument;
    this.#node = node as ProgramNodeJson;
    this.#built = built;
  }

  read(tables: readonly Table[], scalars: readonly Scalar[]): Expression {
    const made = this.#make(tables, scalars);
    const { type } = this.#node;
    if (!isExpression(made) || made.type === type) return made;
    throw this.#wrong(`type ${JSON.stringify(made.type)}, which ${this.#node.op} has here`, type);
  }

  #make(tables: readonly Table[], scalars: readonly Scalar[]): Expression {
    const { op, type } = this.#node;
    switch (op) {
      case "constant":
        return this.#constant(type);
      case "variable": {
        const { name } = this.#node;
        if (typeof name === "string" && Object.hasOwn(variables, name))
          return variables[name as VariableName];
        throw this.#wrong(`one of the variables ${Object.keys(variables).join(", ")}`, name);
      }
      case "scalar":
        return this.#source(scalars, "scalar");
      case "table":
        return this.#source(tables, "table").at(...(this.#args() as Expression<"int32">[]));
    }
    if (typeof op !== "string" || !Object.hasOwn(operandCounts, op)) {
      throw this.#wrong(`one of the operations ${Object.keys(operandCounts).join(", ")}`, op);
    }
    const args = this.#args();
    const count = operandCounts[op as keyof typeof operandCounts];
    if (args.length !== count) throw this.#wrong(`${count} operands of ${op}`, args.length);
    const make = functionsByName[op] as (...operands: readonly unknown[]) => Expression;
    return op === "astype" ? make(args[0], type) : make(...args);
  }

  #constant(type: unknown): Expression {
    const value = numberFromJson(`${this.#argument}.value`, this.#node.value);
    if (type === "float32") return constant(type, value);
    if (type === "int32" && isInt32(value)) return constant(type, value);
    if (type === "bool" && (value === 0 || value === 1)) return constant(type, value);
    throw this.#wrong('a value of its type "int32", "float32" or "bool"', value);
  }

  #args(): readonly Expression[] {
    const given = list(`${this.#argument}.args`, this.#node.args ?? [], 4);
    return Array.from(given, (arg) => {
      const expression = isInt32(arg) ? this.#built[arg] : undefined;
      if (expression) return expression;
      throw this.#wrong("operands among the nodes before it, without a cycle", arg);
    });
  }

  #source<S>(sources: readonly S[], name: string): S {
    const { slot } = this.#node;
    const source = isInt32(slot) ? sources[slot] : undefined;
    if (source) return source;
    throw this.#wrong(`a slot of one of ${sources.length} ${name}s`, slot);
  }

  #wrong(expected: string, actual: unknown): InvalidInputError {
    return new InvalidInputError(this.#argument, expected, describeValue(actual));
  }
}
