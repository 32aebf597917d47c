import { describeValue, InvalidInputError } from "../../errors.js";
import { reading } from "../../options.js";

/** A node's attributes by their names, each read once and checked as it is asked for. */
export class AttributeReader<Name extends string> {
  readonly #values: Readonly<Record<string, unknown>>;

  /** @throws InvalidInputError for what is no object, and for attributes that the operator lacks */
  constructor(given: unknown, names: ReadonlySet<Name>) {
    if (given !== undefined && (typeof given !== "object" || given === null)) {
      throw new InvalidInputError("attributes", "an object", describeValue(given));
    }
    this.#values = reading("attributes", () => {
      const values: Record<string, unknown> = {};
      for (const name of Object.keys(given ?? {})) {
        if (!names.has(name as Name)) {
          throw new InvalidInputError(name, `one of the attributes ${[...names].join(", ")}`, name);
        }
        values[name] = (given as Record<string, unknown>)[name];
      }
      return values;
    });
  }

  /** The attribute as it was given. */
  value(name: Name): unknown {
    return this.#values[name];
  }

  /** @throws InvalidInputError unless it is left out or an integer that is accepted */
  integer(name: Name, accepts: (value: number) => boolean, expected: string): number | undefined {
    const value = this.#values[name];
    if (value === undefined) return undefined;
    if (!Number.isInteger(value) || !accepts(value as number)) {
      throw new InvalidInputError(name, expected, describeValue(value));
    }
    return value as number;
  }

  /** @throws InvalidInputError unless it is an integer ≥ 1 */
  count(name: Name): number {
    const expected = "an integer ≥ 1";
    const value = this.integer(name, (n) => n >= 1, expected);
    if (value === undefined) throw new InvalidInputError(name, expected, "undefined");
    return value;
  }

  /** @throws InvalidInputError unless it is left out, 0 or 1 */
  flag(name: Name, byDefault: boolean): boolean {
    const value = this.integer(name, (n) => n === 0 || n === 1, "0 or 1");
    return value === undefined ? byDefault : value === 1;
  }

  /** @throws InvalidInputError unless it is left out or a finite number that is accepted */
  number(
    name: Name,
    expected: string = "a finite number",
    accepts: (value: number) => boolean = () => true,
  ): number | undefined {
    const value = this.#values[name];
    if (value === undefined) return undefined;
    if (!Number.isFinite(value) || !accepts(value as number)) {
      throw new InvalidInputError(name, expected, describeValue(value));
    }
    return value as number;
  }

  /**
   * Refuses an attribute that only a feature has which these functions lack.
   *
   * @param off values that mean that the feature is not used
   */
  refuse(name: Name, off: readonly unknown[], expected: string): void {
    const value = this.#values[name];
    if (value === undefined || off.includes(value)) return;
    throw new InvalidInputError(name, expected, describeValue(value));
  }
}
