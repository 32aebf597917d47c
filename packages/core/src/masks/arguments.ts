import { describeValue, InvalidInputError } from "../errors.js";
import { isInt32 } from "../options.js";
import { Expression } from "../program/expression.js";
import type { NumberOperand } from "../program/operations.js";
import { table } from "../program/sources.js";
import type { NumericType } from "../program/types.js";
import { readHostTensor } from "../tensor/host-tensor.js";
import type { HostTensor } from "../tensor/tensor.js";

/** @throws InvalidInputError unless a value is an integer of at least `least` */
export function checkCount(
  argument: string,
  value: unknown,
  least: number,
): asserts value is number {
  if (isInt32(value) && value >= least) return;
  throw new InvalidInputError(argument, `an integer ≥ ${least}`, describeValue(value));
}

/** @throws InvalidInputError unless `value` is a multiple of `divisor` */
export function checkMultiple(
  argument: string,
  value: number,
  name: string,
  divisor: number,
): void {
  if (value % divisor === 0) return;
  throw new InvalidInputError(argument, `a multiple of ${name} ${divisor}`, `${value}`);
}

/** A host tensor of a dtype and rank; the sizes that are given must be right. */
export function checkShape(
  argument: string,
  value: unknown,
  dtype: string,
  shape: readonly (number | null)[],
): HostTensor {
  const t = readHostTensor(argument, value as HostTensor);
  const fits =
    t.dtype === dtype &&
    t.shape.length === shape.length &&
    shape.every((size, axis) => size === null || size === t.shape[axis]);
  if (fits) return t;
  const sizes = shape.map((size) => size ?? "any").join(", ");
  throw new InvalidInputError(
    argument,
    `${dtype} of shape [${sizes}]`,
    `${t.dtype} of shape [${t.shape.join(", ")}]`,
  );
}

/** A number of each batch entry: one for all of them (a number or a scalar), or int32 `[batch]`. */
export type BatchNumber = Expression<NumericType> | number | HostTensor;

/** The number of a batch entry. */
export function ofBatch(
  argument: string,
  value: BatchNumber,
  batch: Expression<NumericType>,
): NumberOperand {
  if (typeof value === "number") {
    if (isInt32(value)) return value;
    throw new InvalidInputError(argument, "a 32-bit integer", describeValue(value));
  }
  if (value instanceof Expression) return value;
  return table(checkShape(argument, value, "int32", [null]) as HostTensor<"int32">).at(batch);
}
