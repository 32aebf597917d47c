import type { HostTensor, Tensor } from "../tensor/tensor.js";

/** Attention over some of the keys: an output normalised on its own, and its log-sum-exp. */
export interface PartialAttention<T extends Tensor = HostTensor> {
  /** `[…, valueDim]`, of a float dtype; 0 in rows that saw no key. */
  readonly output: T;
  /** `[…]`: the output's shape without its last axis; −∞ in rows that saw no key. */
  readonly logSumExp: T;
}

/**
 * One call of merging: attention over a union of disjoint sets of keys from attention over each of
 * them. With `w_p = exp(lse_p − lse)`, `output = Σ w_p · output_p` and `lse = ln Σ exp(lse_p)` (Rabe &
 * Staats, 2021, arXiv:2112.05682; FlashInfer calls it merging attention states). The order of the
 * parts does not matter beyond rounding. A part whose log-sum-exp is −∞ contributes nothing, whatever
 * its output holds. A sink belongs into exactly one part.
 */
export interface MergeInputs<T extends Tensor = Tensor> {
  /** At least one; all of one shape, and each kind of tensor of one dtype. */
  readonly parts: readonly PartialAttention<T>[];
}

/** The result of {@link MergeInputs}. */
export interface MergeOutputs<T extends Tensor = Tensor> {
  /** Shape and dtype of the parts' outputs. */
  readonly output: T;
  /** Shape of the parts' log-sum-exp; float32, or float64 for float64 outputs. */
  readonly logSumExp: T;
}
