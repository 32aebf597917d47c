import type { FloatDType } from "@heed/core";

/** A synthetic call of a projection as data. */
export interface ProjectionSpec {
  /** Default 1. */
  readonly batch?: number;
  readonly length: number;
  /** Elements of an input row. Default 16. */
  readonly inputSize?: number;
  /** Elements of an output row. Default 12. */
  readonly outputSize?: number;
  /** Default float32. */
  readonly dtype?: FloatDType;
  readonly bias?: boolean;
  /** Layout of the input: its heads merged by a view, gaps between its rows, or the length innermost. Default plain. */
  readonly layout?: "plain" | "gaps" | "swapped";
  /** The weight as the transpose of one that lies `[in, out]`, or within a larger one. Default plain. */
  readonly weight?: "plain" | "transposed" | "part";
  /** `cancel`: products of which most cancel each other. `nan`: one element of the last row is NaN. */
  readonly values?: "normal" | "cancel" | "nan";
}
