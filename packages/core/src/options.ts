/**
 * Checks of options objects that callers give, for packages that are built on core: a misspelt or unreadable
 * option is an `InvalidInputError`, as in core itself.
 *
 * @module
 */
import {
  describeThrown,
  describeValue,
  type HeedError,
  InvalidInputError,
  isHeedError,
} from "./errors.js";
import { typedArrayName } from "./tensor/typed-array.js";

/**
 * Runs code that reads a caller's value, whose getters and proxy traps may throw anything at all.
 *
 * @param argument name of the value in errors
 * @throws InvalidInputError in place of whatever the value threw, which becomes its `cause`
 */
export function reading<R>(argument: string, read: () => R): R {
  try {
    return read();
  } catch (error) {
    throw unreadable(argument, error);
  }
}

/** The error for a value that threw when it was read; an error of Heed's own stays as it is. */
export function unreadable(argument: string, error: unknown): HeedError {
  if (isHeedError(error)) return error;
  return new InvalidInputError(
    argument,
    "a value whose members can be read",
    `one that throws when it is read: ${describeThrown(error)}`,
    { cause: error },
  );
}

/**
 * A function that throws nothing but errors of Heed, whatever its arguments do when they are read.
 *
 * @param argument name in errors of what is read
 */
export function guarded<A extends unknown[], R>(
  argument: string,
  run: (...args: A) => R,
): (...args: A) => R {
  return (...args) => {
    try {
      return run(...args);
    } catch (error) {
      throw unreadable(argument, error);
    }
  };
}

/**
 * Checks what a caller gave as `attention`.
 *
 * @param methods that the value must have
 * @throws InvalidInputError unless it has them
 */
export function checkAttention(attention: unknown, methods: readonly string[]): void {
  const has = reading(
    "attention",
    () =>
      typeof attention === "object" &&
      attention !== null &&
      methods.every((name) => typeof (attention as Record<string, unknown>)[name] === "function"),
  );
  if (has) return;
  throw new InvalidInputError(
    "attention",
    "what createAttention resolves with",
    describeValue(attention),
  );
}

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
  try {
    for (const name in value) {
      if (!names.has(name) && Object.hasOwn(value, name)) {
        throw new InvalidInputError(
          `${argument}.${name}`,
          `only ${[...names].join(", ")}`,
          describeValue(name),
        );
      }
    }
  } catch (error) {
    throw unreadable(argument, error);
  }
}

/**
 * The members of an options object, each read once.
 *
 * @param argument name of the object in errors
 * @param value an object, or undefined for none of the options
 * @throws InvalidInputError for members that are not known, and for objects that cannot be read
 */
export function readOptions<O extends object>(
  argument: string,
  value: O | undefined,
  names: ReadonlySet<keyof O & string>,
): Partial<O> {
  if (value === undefined) return {};
  checkNames(argument, value, names);
  return reading(argument, () => {
    const options: Partial<O> = {};
    for (const name of names) {
      const option = value[name];
      if (option !== undefined) options[name] = option;
    }
    return options;
  });
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

/** Whether a value is an array, of any realm. Never throws. */
export function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    // A revoked proxy.
    return false;
  }
}

/**
 * @param count how many integers there must be
 * @throws InvalidInputError unless the value is an Int32Array or an array of 32-bit integers
 */
export function checkBatchIntegers(
  argument: string,
  value: unknown,
  count: number,
): asserts value is ArrayLike<number> {
  if (typedArrayName(value) !== "Int32Array" && !isList(value)) {
    throw new InvalidInputError(argument, "an Int32Array, one a batch", describeValue(value));
  }
  try {
    const list = value as ArrayLike<unknown>;
    if (list.length !== count) {
      throw new InvalidInputError(
        argument,
        `${count} integers, one a batch`,
        `${describeValue(list.length)} of them`,
      );
    }
    for (let i = 0; i < count; i++) {
      const integer = list[i];
      if (!isInt32(integer)) {
        throw new InvalidInputError(argument, "32-bit signed integers", describeValue(integer));
      }
    }
  } catch (error) {
    throw unreadable(argument, error);
  }
}
