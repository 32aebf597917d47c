import type { Tensor } from "../tensor/tensor.js";

/**
 * One call of root mean square normalisation along the last axis (Zhang & Sennrich, 2019, arXiv:1910.07467;
 * ONNX RMSNormalization-23 with `axis` −1): `output = input · weight / √(mean(input²) + epsilon)`. Models apply it to
 * the head vectors of queries and keys before they are turned.
 *
 * float16 is computed in float32, and rounded once.
 */
export interface RmsNormInputs<T extends Tensor = Tensor> {
  /** `[…, size]` of rank 1 to 4, float64, float32 or float16; for instance heads, `[batch, heads, length, headDim]`. */
  readonly input: T;
  /** `[size]`, of the input's dtype. */
  readonly weight: T;
  /** Added to the mean square: from 1e-37, which float32 holds, to 1e37. Default 1e-6; ONNX's default is 1e-5. */
  readonly epsilon?: number | undefined;
}

/** The result of {@link RmsNormInputs}. */
export interface RmsNormOutputs<T extends Tensor = Tensor> {
  /** Shape and dtype of the input. */
  readonly output: T;
}
