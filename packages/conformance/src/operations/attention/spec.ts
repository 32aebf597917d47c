import type { AttentionReturns, AttentionWindow, FloatDType } from "@heed/core";

/** How query, key and value lie in memory; all are views of `[batch, heads, length, size]`. */
export type Layout =
  /** Row-major `[batch, heads, length, size]`. */
  | "bhld"
  /** `[batch, length, heads, size]`. */
  | "blhd"
  /** `[batch, heads, size, length]`: elements of a row are far apart. */
  | "bhdl"
  /** Slices of one `[batch, length, (queryHeads + 2·kvHeads)·size]`; lengths must be equal. */
  | "packed"
  /** In the middle of a larger buffer. */
  | "offset";

/** What is special about a call's numbers. */
export type Values =
  /** Standard normal. */
  | "normal"
  /** Scores of about ±10⁴: softmax is one-hot, and exp overflows without the maximum. */
  | "large-scores"
  /** Equal keys: every weight is the same. */
  | "equal-keys"
  /** The last key wins every row. */
  | "last-key-wins"
  /** Scores rise by about 8 from the first key to the last. */
  | "rising-scores"
  /** Values of about 10⁻⁴⁰ (10⁻⁷ in float16): subnormal. */
  | "subnormal-values"
  /** Queries and keys of that size: every score is 0 or nearly so. */
  | "subnormal-scores"
  /** Values from 1 up: their average is not what a row without keys gives. */
  | "positive-values"
  /** Values next to the dtype's largest, and scores of half of float16's. */
  | "largest-values";

/** What keys and values hold where no query may look. */
export type Poison = "NaN" | "infinity" | "large";

/** A synthetic call as data. What is left out is as in the smallest useful call. */
export interface CaseSpec {
  /** Default 1. */
  readonly batch?: number;
  /** Default 2. */
  readonly queryHeads?: number;
  /** Default queryHeads. */
  readonly kvHeads?: number;
  readonly queryLength: number;
  /** Default queryLength. */
  readonly keyLength?: number;
  /** Default 16. */
  readonly headDim?: number;
  /** Default headDim. */
  readonly valueDim?: number;
  /** Default float32. */
  readonly dtype?: FloatDType;
  /** Default bhld. */
  readonly layout?: Layout;
  /** Default normal. */
  readonly values?: Values;
  /** One tensor serves as key and value. */
  readonly sharedKeyValue?: boolean;
  readonly causal?: boolean;
  readonly window?: AttentionWindow;
  readonly queryOffset?: number | "bottom-right" | readonly number[];
  readonly kvLengths?: readonly number[];
  /** Fills keys and values that no row can see by kvLengths, causal or window. */
  readonly poison?: Poison;
  /**
   * A mask of this shape, two thirds true. "empty-rows": every third row hides all keys.
   * "after-diagonal": true where j > i, and nowhere else.
   */
  readonly mask?: {
    readonly shape: readonly number[];
    readonly rows?: "empty-rows" | "after-diagonal";
  };
  /**
   * A bias of this shape. "-inf": a third of it hides; "finfo-min": a third is the lowest finite
   * number; "…-rows": so is all of every third row, or in "finfo-min-and-inf-rows" one or the other.
   */
  readonly bias?: {
    readonly shape: readonly number[];
    readonly dtype?: FloatDType;
    readonly holes?:
      | "-inf"
      | "finfo-min"
      | "-inf-rows"
      | "finfo-min-rows"
      | "finfo-min-and-inf-rows";
  };
  /** Mask and bias are read through transposed strides. */
  readonly stridedMask?: boolean;
  readonly alibi?: boolean;
  /** True: one normal value a head; or the values. */
  readonly sinks?: true | readonly number[];
  readonly scale?: number;
  readonly softcap?: number;
  readonly returns?: AttentionReturns;
}
