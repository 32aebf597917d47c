import { describeValue, InvalidInputError } from "../errors.js";
import { checkBatchIntegers, isInt32 } from "../options.js";
import { checkTensor, isDeviceTensor } from "../tensor/host-tensor.js";
import type { HostTensor } from "../tensor/tensor.js";
import { typedArrayName } from "../tensor/typed-array.js";
import { toFloat64 } from "../tensor/values.js";
import type { RotaryInputs } from "./inputs.js";

/**
 * Checks `positions` and `offset`.
 *
 * @throws InvalidInputError
 */
export function checkPositions(
  { positions, offset }: RotaryInputs,
  batch: number,
  length: number,
): void {
  if (offset !== undefined) {
    if (positions !== undefined) {
      throw new InvalidInputError("offset", "nothing beside positions", describeValue(offset));
    }
    if (typeof offset !== "number") checkBatchIntegers("offset", offset, batch);
    else if (!isInt32(offset)) {
      throw new InvalidInputError("offset", "a 32-bit signed integer", describeValue(offset));
    }
  }
  if (positions === undefined) return;
  if (isInt32Array(positions)) {
    if (positions.length !== batch * length && positions.length !== length) {
      throw new InvalidInputError(
        "positions",
        `${batch * length} integers, one a token, or ${length} for every batch`,
        `${positions.length} of them`,
      );
    }
    return;
  }
  checkTensor("positions", positions);
  if (isDeviceTensor(positions)) {
    throw new InvalidInputError("positions", "a host tensor", "a device tensor");
  }
  const { shape, dtype } = positions as HostTensor;
  if (dtype !== "int32") throw new InvalidInputError("positions", "dtype int32", dtype);
  const fits =
    (shape.length === 2 && shape[0] === batch && shape[1] === length) ||
    (shape.length === 1 && shape[0] === length);
  if (!fits) {
    throw new InvalidInputError(
      "positions",
      `shape [batch, length] = [${batch}, ${length}], or [${length}]`,
      `[${shape.join(", ")}]`,
    );
  }
}

/** Positions of a call's tokens. */
export interface TokenPositions {
  /** One a token, `[batch, length]` or `[length]` where all batches have the same. */
  readonly values: Int32Array;
  readonly shared: boolean;
}

/** Resolves `positions` and `offset` to an array of its own. */
export function bindTokenPositions(
  { positions, offset }: RotaryInputs,
  batch: number,
  length: number,
): TokenPositions {
  if (positions !== undefined) {
    const values = Int32Array.from(isInt32Array(positions) ? positions : toFloat64(positions));
    return { values, shared: values.length === length };
  }
  if (offset === undefined || typeof offset === "number") {
    const first = offset ?? 0;
    return { values: Int32Array.from({ length }, (_, l) => first + l), shared: true };
  }
  const values = new Int32Array(batch * length);
  for (let b = 0; b < batch; b++) {
    for (let l = 0; l < length; l++) values[b * length + l] = (offset[b] as number) + l;
  }
  return { values, shared: false };
}

/** Whether a value is an Int32Array, of any realm. */
export function isInt32Array(value: unknown): value is Int32Array {
  return typedArrayName(value) === "Int32Array";
}
