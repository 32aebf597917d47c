import { describeValue, InvalidInputError } from "../errors.js";

/**
 * Refuses an object with members that are not known: a misspelt option would be ignored without a
 * word, which is the worst answer to a wrong call.
 *
 * @param argument name of the object in errors
 * @throws InvalidInputError
 */
export function checkNames(argument: string, value: unknown, names: ReadonlySet<string>): void {
  if (typeof value !== "object" || value === null) {
    throw new InvalidInputError(argument, "an object", describeValue(value));
  }
  for (const name in value) {
    if (!names.has(name) && Object.hasOwn(value, name)) {
      throw new InvalidInputError(
        `${argument}.${name}`,
        `only ${[...names].join(", ")}`,
        JSON.stringify(name),
      );
    }
  }
}

/** @throws InvalidInputError unless the value is a boolean or left out, which counts as false */
export function flag(argument: string, value: unknown): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") {
    throw new InvalidInputError(argument, "a boolean", describeValue(value));
  }
  return value;
}

/** Whether a value is an integer from −2^31 to 2^31 − 1. */
export function isInt32(value: unknown): value is number {
  return typeof value === "number" && value === (value | 0);
}

/**
 * @param count how many integers there must be
 * @throws InvalidInputError unless the value is an Int32Array or an array of 32-bit integers
 */
export function checkBatchIntegers(argument: string, value: unknown, count: number): void {
  if (!(value instanceof Int32Array) && !Array.isArray(value)) {
    throw new InvalidInputError(argument, "an Int32Array, one a batch", describeValue(value));
  }
  if (value.length !== count) {
    throw new InvalidInputError(
      argument,
      `${count} integers, one a batch`,
      `${value.length} of them`,
    );
  }
  for (let i = 0; i < value.length; i++) {
    const integer: unknown = value[i];
    if (!isInt32(integer)) {
      throw new InvalidInputError(argument, "32-bit signed integers", describeValue(integer));
    }
  }
}
