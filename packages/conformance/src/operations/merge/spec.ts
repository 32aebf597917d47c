import type { FloatDType } from "@heed/core";

/** How the tensors of the parts lie in memory. */
export type MergeLayout =
  /** Each row-major in an array of its own. */
  | "row-major"
  /** Axes in reverse order; needs two axes. */
  | "transposed"
  /** From the middle of a larger array, with gaps between the rows. */
  | "gaps"
  /** All parts in one array: outputs one after another, log-sum-exps interleaved. */
  | "stacked";

/** Kinds of log-sum-exp, and of what the outputs hold beside them. */
export type MergeNumbers =
  /** A few units apart. */
  | "near"
  /** Hundreds apart: all weights but the largest vanish, which is another part's in each row. */
  | "far"
  /** Units apart around 10⁴, −10⁴ and 10⁶. */
  | "1e4"
  | "-1e4"
  | "1e6"
  /** At both ends of the dtype's range, by row: all low, all high, mixed. */
  | "ends"
  | "equal"
  /** No part has seen a key; the outputs hold poison. */
  | "all-empty"
  /** A third of the parts of a row have seen no key, and their outputs hold poison. */
  | "some-empty"
  /** One part of each row has seen keys; the other outputs hold poison. */
  | "one-seen"
  /** Row 0 has a log-sum-exp of NaN. */
  | "nan"
  /** Row 0 has a log-sum-exp of +∞. */
  | "infinity"
  /** Row 0 has an element of NaN in the output of the last part, which has seen keys. */
  | "nan-output"
  /** The same, and the weight of the last part is too small for any dtype. */
  | "nan-output-vanishing"
  /** Outputs as large as the dtype allows without a sum that overflows. */
  | "large-outputs";

/** A synthetic call of merging as data. */
export interface MergeSpec {
  /** How many; at least 1. */
  readonly parts: number;
  /** Shape of each log-sum-exp. */
  readonly rows: readonly number[];
  /** Default 64. */
  readonly valueDim?: number;
  /** Element type of the outputs. Default float32. */
  readonly dtype?: FloatDType;
  /** Default float32, or float64 for float64 outputs. */
  readonly logSumExpDType?: FloatDType;
  /** Default row-major. */
  readonly layout?: MergeLayout;
  /** Default near. */
  readonly numbers?: MergeNumbers;
}
