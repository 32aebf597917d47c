import { checkTensor, describeValue, InvalidInputError, type Tensor } from "@heed/core";
import { checkNames, reading } from "@heed/core/options";

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
  checkNames(argument, value, new Set(names));
  return reading(argument, () => {
    const members: Partial<O> = {};
    for (const name of names) {
      const member = (value as O)[name];
      if (member !== undefined) members[name] = member;
    }
    return members;
  });
}

/** @throws InvalidInputError unless the value is an integer ≥ 1 */
export function checkCount(argument: string, value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 1) return value as number;
  throw new InvalidInputError(argument, "an integer ≥ 1", describeValue(value));
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
