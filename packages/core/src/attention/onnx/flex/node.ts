import { describeValue, InvalidInputError } from "../../../errors.js";
import { isList } from "../../../options.js";
import type { SymbolicTensor } from "./symbolic-tensor.js";

/** Integers of an attribute: axes, in an order. */
const mostIntegers = 16;

/** A node of a graph, with the values that it reads; its members name it in errors. */
export class GraphNode {
  /** Names it in errors, as in `score_mod.nodes[2] (Gather)`. */
  readonly argument: string;
  readonly operator: string;
  readonly #inputs: readonly (SymbolicTensor | null)[];
  readonly #attributes: Readonly<Record<string, unknown>>;

  constructor(
    argument: string,
    operator: string,
    inputs: readonly (SymbolicTensor | null)[],
    attributes: Readonly<Record<string, unknown>>,
  ) {
    this.argument = argument;
    this.operator = operator;
    this.#inputs = inputs;
    this.#attributes = attributes;
  }

  /** Its inputs, those that are left out counted. */
  get count(): number {
    return this.#inputs.length;
  }

  /** Its inputs, none of which may be left out. @throws InvalidInputError unless there are as many */
  inputs(least: number, most: number = least): readonly SymbolicTensor[] {
    return this.#present(this.#counted(least, most));
  }

  /** The inputs that it must have, while others may follow or be left out. @throws InvalidInputError */
  needed(count: number, most: number): readonly SymbolicTensor[] {
    return this.#present(this.#counted(count, most).slice(0, count));
  }

  #counted(least: number, most: number): readonly (SymbolicTensor | null)[] {
    const given = this.#inputs.length;
    if (given >= least && given <= most) return this.#inputs;
    const expected = least === most ? `${least} inputs` : `${least} or more inputs`;
    throw this.wrong(expected, `${given}`);
  }

  #present(inputs: readonly (SymbolicTensor | null)[]): readonly SymbolicTensor[] {
    return inputs.map((input, n) => {
      if (input === null) throw this.wrong(`a value as input ${n}`, "none");
      return input;
    });
  }

  /** An input that may be left out. */
  optional(n: number): SymbolicTensor | null {
    return this.#inputs[n] ?? null;
  }

  /** The elements of an input that says sizes, axes or places. @throws InvalidInputError if they depend on anything */
  integers(n: number): readonly number[] | null {
    const input = this.optional(n);
    if (input === null) return null;
    const values = input.type === "int32" ? input.known() : null;
    if (values) return values;
    throw this.wrong(`integers as input ${n} that depend on constants and shapes alone`, "others");
  }

  /** An attribute that is an integer. */
  integer(name: string, byDefault: number): number {
    const value = this.#attributes[name];
    if (value === undefined) return byDefault;
    const integer = typeof value === "bigint" ? Number(value) : value;
    if (Number.isInteger(integer)) return integer as number;
    throw this.wrong(`an integer as ${name}`, describeValue(value));
  }

  /** An attribute that is a number. */
  number(name: string, byDefault: number): number {
    const value = this.#attributes[name];
    if (value === undefined) return byDefault;
    if (typeof value === "number") return value;
    throw this.wrong(`a number as ${name}`, describeValue(value));
  }

  /** An attribute that is a list of integers; null if it is left out. */
  list(name: string): readonly number[] | null {
    const value = this.#attributes[name];
    if (value === undefined) return null;
    if (!isList(value) || value.length > mostIntegers) {
      throw this.wrong(`at most ${mostIntegers} integers as ${name}`, describeValue(value));
    }
    return Array.from(value, (item) => {
      const integer = typeof item === "bigint" ? Number(item) : item;
      if (Number.isInteger(integer)) return integer as number;
      throw this.wrong(`integers as ${name}`, describeValue(item));
    });
  }

  /** An attribute as it is given. */
  attribute(name: string): unknown {
    return this.#attributes[name];
  }

  /** An axis of a shape; negative ones count from the end. @throws InvalidInputError */
  axis(given: number, rank: number): number {
    const axis = given < 0 ? given + rank : given;
    if (axis >= 0 && axis < rank) return axis;
    throw this.wrong(`an axis of ${rank}`, `${given}`);
  }

  wrong(expected: string, actual: string): InvalidInputError {
    return new InvalidInputError(this.argument, expected, actual);
  }
}
