import type { Bound } from "../operation/operation.js";
import type { Problem } from "../operation/problem.js";
import type { FloatDType } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import type { MergeInputs, MergeOutputs } from "./inputs.js";

/** The validated, canonical description of a call of merging. */
export interface MergeProblem extends Problem<MergeInputs, MergeOutputs> {
  readonly operation: "merge";
  /** How many parts are merged, ≥ 1. */
  readonly parts: number;
  /** The parts' log-sum-exp: `[…]`. */
  readonly shape: readonly number[];
  /** Product of the shape. */
  readonly rows: number;
  readonly valueDim: number;
  /** Element type of the outputs. */
  readonly dtype: FloatDType;
  /** Element type of the parts' log-sum-exp. */
  readonly logSumExpDType: FloatDType;
}

/** A call of merging; nothing in it is optional. */
export interface BoundMerge<T extends Tensor = Tensor> extends Bound<MergeProblem, MergeInputs> {
  /** One a part. */
  readonly outputs: readonly T[];
  /** One a part. */
  readonly logSumExps: readonly T[];
}
