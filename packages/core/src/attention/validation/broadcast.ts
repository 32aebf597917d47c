import { InvalidInputError } from "../../errors.js";
import type { FloatDType } from "../../tensor/dtype.js";
import { checkTensor } from "../../tensor/host-tensor.js";
import type { Tensor } from "../../tensor/tensor.js";

/** Sizes that masks and biases broadcast to, in order: batch, queryHeads, queryLength, keyLength. */
export type FullShape = readonly [number, number, number, number];

/** Hint in error messages on how to convert a tokenizer's padding mask, the mask that callers usually have. */
const paddingHint =
  "a padding mask is [batch, 1, 1, keyLength]: paddingMask(mask) makes it from [batch, keyLength], paddingMask(lengths, keyLength) from lengths";

/**
 * @param ragged whether the batch is ragged: masks and biases do not vary along lengths then
 * @throws InvalidInputError, DisposedError
 */
export function checkMask(mask: Tensor, full: FullShape, ragged: boolean): void {
  checkTensor("mask", mask);
  if (mask.dtype !== "bool") {
    throw new InvalidInputError(
      "mask",
      `dtype bool, true where a key may be attended to (what is added to the logits is a bias; ${paddingHint})`,
      mask.dtype,
    );
  }
  checkBroadcast("mask", mask, full, ragged);
}

/**
 * @param dtype of the query
 * @throws InvalidInputError, DisposedError
 */
export function checkBias(bias: Tensor, full: FullShape, ragged: boolean, dtype: FloatDType): void {
  checkTensor("bias", bias);
  if (bias.dtype !== dtype && bias.dtype !== "float32") {
    throw new InvalidInputError("bias", `the query's dtype ${dtype}, or float32`, bias.dtype);
  }
  checkBroadcast("bias", bias, full, ragged);
}

function checkBroadcast(argument: string, t: Tensor, full: FullShape, ragged: boolean): void {
  const { length } = t.shape;
  let fits = length >= 1 && length <= 4;
  for (let axis = 0; fits && axis < length; axis++) {
    const size = t.shape[axis];
    const aligned = axis + 4 - length;
    fits = size === 1 || (size === full[aligned] && !(ragged && aligned >= 2));
  }
  if (!fits && ragged) {
    throw new InvalidInputError(
      argument,
      `rank 1 to 4, as [1, queryHeads or 1, 1, 1] with ${full[1]} query heads: in a ragged batch it does not vary along lengths`,
      `[${t.shape.join(", ")}]`,
    );
  }
  if (!fits) {
    const { shape } = t;
    const padding = argument === "mask" && shape.length <= 2 && shape[length - 1] === full[3];
    throw new InvalidInputError(
      argument,
      `rank 1 to 4, each axis from the right 1 or as in [batch, queryHeads, queryLength, keyLength] = [${full.join(", ")}]${padding ? `; ${paddingHint}` : ""}`,
      `[${shape.join(", ")}]`,
    );
  }
}

/** Size along an axis of the full shape: 1 where the tensor has no such axis. */
export function alignedSize(t: Tensor, axis: number): number {
  const missing = 4 - t.shape.length;
  return axis < missing ? 1 : (t.shape[axis - missing] as number);
}
