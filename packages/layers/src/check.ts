import {
  checkTensor,
  describeValue,
  InvalidInputError,
  isHeedError,
  type Tensor,
} from "@heed/core";

/**
 * The members of an object that a caller gave, each read once.
 *
 * @param argument name of the object in errors
 * @throws InvalidInputError for what is no object, for members that are not known, and for objects that
 *   throw when they are read
 */
export function readMembers<O extends object>(
  argument: string,
  value: unknown,
  names: readonly (keyof O & string)[],
): Partial<O> {
  if (typeof value !== "object" || value === null) {
    throw new InvalidInputError(argument, "an object", describeValue(value));
  }
  return reading(argument, () => {
    for (const name of Object.keys(value)) {
      if ((names as readonly string[]).includes(name)) continue;
      throw new InvalidInputError(
        `${argument}.${name}`,
        `only ${names.join(", ")}`,
        describeValue(name),
      );
    }
    const members: Partial<O> = {};
    for (const name of names) {
      const member = (value as O)[name];
      if (member !== undefined) members[name] = member;
    }
    return members;
  });
}

/** Runs code that reads a caller's value, which may throw anything at all. @throws InvalidInputError */
export function reading<R>(argument: string, read: () => R): R {
  try {
    return read();
  } catch (error) {
    if (isHeedError(error)) throw error;
    throw new InvalidInputError(
      argument,
      "a value whose members can be read",
      `one that throws when it is read: ${describeValue(error)}`,
      { cause: error },
    );
  }
}

/** @throws InvalidInputError unless the value is an integer ≥ 1 */
export function checkCount(argument: string, value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 1) return value as number;
  throw new InvalidInputError(argument, "an integer ≥ 1", describeValue(value));
}

/** @throws InvalidInputError unless the value is a boolean or left out, which counts as false */
export function checkFlag(argument: string, value: unknown): boolean {
  if (value === undefined || typeof value === "boolean") return value ?? false;
  throw new InvalidInputError(argument, "a boolean", describeValue(value));
}

/**
 * A tensor of a shape; null stands for any size.
 *
 * @param names of the axes, in words
 * @throws InvalidInputError, DisposedError
 */
export function checkShape(
  argument: string,
  value: unknown,
  shape: readonly (number | null)[],
  names: string,
): Tensor {
  checkTensor(argument, value);
  const fits =
    value.shape.length === shape.length &&
    shape.every((size, axis) => size === null || size === value.shape[axis]);
  if (fits) return value;
  const sizes = shape.map((size) => size ?? "any").join(", ");
  throw new InvalidInputError(
    argument,
    `shape ${names} = [${sizes}]`,
    `[${value.shape.join(", ")}]`,
  );
}
