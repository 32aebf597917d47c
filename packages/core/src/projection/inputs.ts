import type { Tensor } from "../tensor/tensor.js";

/**
 * One call of a projection, a linear layer: `output[b, l, o] = Σ_i input[b, l, i] · weight[o, i] + bias[o]`.
 * The weight lies as `torch.nn.Linear` saves it, `[out, in]`. Heads are split and merged by views:
 * `splitHeads`, `mergeHeads`.
 *
 * float16 is multiplied and summed in float32, and rounded once. A sum of no elements is 0, plus the
 * bias.
 */
export interface ProjectionInputs<T extends Tensor = Tensor> {
  /** `[batch, length, in]`, float64, float32 or float16. */
  readonly input: T;
  /** `[out, in]`, of the input's dtype. */
  readonly weight: T;
  /** `[out]`, of the input's dtype. Default none. */
  readonly bias?: T | undefined;
}

/** The result of {@link ProjectionInputs}. */
export interface ProjectionOutputs<T extends Tensor = Tensor> {
  /** `[batch, length, out]`, of the input's dtype. */
  readonly output: T;
}
