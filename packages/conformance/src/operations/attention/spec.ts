import type { AttentionReturns, AttentionWindow, FloatDType } from "@heed/core";
import * as v from "valibot";

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

const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const integer = v.pipe(v.number(), v.safeInteger());
const shape = v.pipe(v.array(size), v.maxLength(4));
const dtype = v.picklist(["float32", "float16", "float64"]);

/** Checks a spec that was read from JSON, where types are gone. Unknown fields are errors. */
export const caseSpecSchema: v.GenericSchema<unknown, CaseSpec> = v.strictObject({
  batch: v.optional(size),
  queryHeads: v.optional(size),
  kvHeads: v.optional(size),
  queryLength: size,
  keyLength: v.optional(size),
  headDim: v.optional(size),
  valueDim: v.optional(size),
  dtype: v.optional(dtype),
  layout: v.optional(v.picklist(["bhld", "blhd", "bhdl", "packed", "offset"])),
  values: v.optional(
    v.picklist([
      "normal",
      "large-scores",
      "equal-keys",
      "last-key-wins",
      "rising-scores",
      "subnormal-values",
      "subnormal-scores",
      "positive-values",
      "largest-values",
    ]),
  ),
  sharedKeyValue: v.optional(v.boolean()),
  causal: v.optional(v.boolean()),
  window: v.optional(v.strictObject({ left: v.optional(size), right: v.optional(size) })),
  queryOffset: v.optional(v.union([integer, v.literal("bottom-right"), v.array(integer)])),
  kvLengths: v.optional(v.array(size)),
  poison: v.optional(v.picklist(["NaN", "infinity", "large"])),
  mask: v.optional(
    v.strictObject({ shape, rows: v.optional(v.picklist(["empty-rows", "after-diagonal"])) }),
  ),
  bias: v.optional(
    v.strictObject({
      shape,
      dtype: v.optional(dtype),
      holes: v.optional(
        v.picklist(["-inf", "finfo-min", "-inf-rows", "finfo-min-rows", "finfo-min-and-inf-rows"]),
      ),
    }),
  ),
  stridedMask: v.optional(v.boolean()),
  alibi: v.optional(v.boolean()),
  sinks: v.optional(v.union([v.literal(true), v.array(v.number())])),
  scale: v.optional(v.number()),
  softcap: v.optional(v.number()),
  returns: v.optional(
    v.strictObject({
      logSumExp: v.optional(v.boolean()),
      weights: v.optional(v.boolean()),
      scores: v.optional(v.picklist(["raw", "capped", "biased"])),
    }),
  ),
});
