import type { FloatDType } from "@heed/core";

/** A synthetic call of root mean square normalisation as data. */
export interface RmsNormSpec {
  readonly shape: readonly number[];
  /** Default float32. */
  readonly dtype?: FloatDType;
  /** Left out, the call has none. */
  readonly epsilon?: number;
  /** Layout of the input: gaps between its vectors, or its last axis not innermost in memory. Default plain. */
  readonly layout?: "plain" | "gaps" | "swapped";
  /** The weight whole, or every second element of a larger one. Default whole. */
  readonly weight?: "whole" | "part";
  /** `small`: about 1e-3, whose squares epsilon is as large as. `zeros`: the first vector. `nan`: one element of the last vector. */
  readonly values?: "normal" | "small" | "large" | "zeros" | "nan";
}
