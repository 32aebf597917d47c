import type { AttentionReturns, AttentionWindow, FloatDType } from "@heed/core";
import * as v from "valibot";
import { type Tree, treeSchema } from "./build/program-trees.js";
import { type BlockMaskSpec, maskPrograms, scorePrograms } from "./build/programs.js";

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
  | "offset"
  /** Row-major, from the second element of a buffer on: no vector of 2 or 4 is aligned. */
  | "odd-start"
  /** Row-major, but for one element between heads: every second head starts at an odd element. */
  | "odd-heads";

/** Distribution of the numbers in query, key and value. */
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
  | "largest-values"
  /** Values of 1; the first key scores 1, and the others 0: sums over many keys drift. */
  | "nearly-equal-scores"
  /** Queries of 0: every score is 0, whatever the scale. */
  | "zero-queries"
  /** Scores of about ±10⁵, beyond what float16 holds. */
  | "scores-beyond-float16";

/** Kind of number that fills keys and values which no query may see. */
export type Poison = "NaN" | "infinity" | "large";

/** A number that is not finite, in something that rows see: they see it where its key is visible. */
export interface NotFinite {
  /** One element: of a query's row, of a key or value in the middle, or of the bias. */
  readonly in: "query" | "key" | "value" | "bias";
  readonly value: "NaN" | "Infinity" | "-Infinity";
}

/** Positions of queries or keys that are given as data. */
export interface PositionsSpec {
  /**
   * "plain": as indices and offset say. "ring": a third further, and wrapped around, as a rolling cache
   * has them. "tree": two rows share each position. "scattered": any, in no order.
   */
  readonly order: "plain" | "ring" | "tree" | "scattered";
  /** One row of the table serves all sequences; default one a sequence. */
  readonly one?: boolean;
}

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
  /** Storage of keys and values, if it is not the dtype: converted; int8 with a scale for each row. */
  readonly kvDtype?: "float16" | "int8";
  /**
   * Keys and values lie in pages of so many keys, in no order, with pages between them that nobody uses;
   * keyLength is a multiple of the size. `kvLengths` default to all keys.
   */
  readonly pages?: {
    readonly size: number;
    /** So many first pages are the same for all sequences. */
    readonly shared?: number;
    /** Stands in the table's unused entries; default −1. */
    readonly unused?: number;
  };
  /**
   * Sequences of a ragged batch, `batch` of them: how many queries and keys each has, at most
   * queryLength and keyLength. Without keys, they are in pages.
   */
  readonly ragged?: { readonly queries: readonly number[]; readonly keys?: readonly number[] };
  readonly queryPositions?: PositionsSpec;
  readonly keyPositions?: PositionsSpec;
  /** Name of a mask program, see `build/programs.ts`; or its tree. */
  readonly maskMod?: string | Tree;
  /** Name of a score program, or its tree. */
  readonly scoreMod?: string | Tree;
  readonly blockMask?: BlockMaskSpec;
  /** Fills keys and values that no row can see by kvLengths, causal or window. */
  readonly poison?: Poison;
  /** With poison: also what mask or bias hide from every row that reads the key's head. */
  readonly poisonAnyRule?: boolean;
  /** A non-finite number in an input, which some rows see. */
  readonly notFinite?: NotFinite;
  /**
   * A mask of this shape, two thirds true. "empty-rows": every third row hides all keys.
   * "after-diagonal": true where j > i, and nowhere else.
   */
  readonly mask?: {
    readonly shape: readonly number[];
    readonly rows?: "empty-rows" | "after-diagonal";
    /** Bytes that are true are any but 0, not only 1. */
    readonly anyByte?: boolean;
  };
  /**
   * A bias of this shape. "-inf": a third of it hides; "-inf-or-0": so does it, and the rest is 0; "finfo-min": a third is the lowest finite
   * number; "…-rows": so is all of every third row, or in "finfo-min-and-inf-rows" one or the other;
   * "one-largest": of each row, one element is as large as the dtype holds, and the others are 0.
   */
  readonly bias?: {
    readonly shape: readonly number[];
    readonly dtype?: FloatDType;
    readonly holes?:
      | "-inf"
      | "-inf-or-0"
      | "finfo-min"
      | "-inf-rows"
      | "finfo-min-rows"
      | "finfo-min-and-inf-rows"
      | "one-largest";
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

const positions = v.strictObject({
  order: v.picklist(["plain", "ring", "tree", "scattered"]),
  one: v.optional(v.boolean()),
});

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
  layout: v.optional(
    v.picklist(["bhld", "blhd", "bhdl", "packed", "offset", "odd-start", "odd-heads"]),
  ),
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
      "nearly-equal-scores",
      "zero-queries",
      "scores-beyond-float16",
    ]),
  ),
  sharedKeyValue: v.optional(v.boolean()),
  causal: v.optional(v.boolean()),
  window: v.optional(v.strictObject({ left: v.optional(size), right: v.optional(size) })),
  queryOffset: v.optional(v.union([integer, v.literal("bottom-right"), v.array(integer)])),
  kvLengths: v.optional(v.array(size)),
  kvDtype: v.optional(v.picklist(["float16", "int8"])),
  pages: v.optional(
    v.strictObject({
      size,
      shared: v.optional(size),
      unused: v.optional(integer),
    }),
  ),
  ragged: v.optional(v.strictObject({ queries: v.array(size), keys: v.optional(v.array(size)) })),
  queryPositions: v.optional(positions),
  keyPositions: v.optional(positions),
  maskMod: v.optional(v.union([v.picklist(Object.keys(maskPrograms)), treeSchema])),
  scoreMod: v.optional(v.union([v.picklist(Object.keys(scorePrograms)), treeSchema])),
  blockMask: v.optional(
    v.strictObject({
      queryBlock: v.pipe(size, v.minValue(1)),
      keyBlock: v.pipe(size, v.minValue(1)),
      data: v.optional(v.picklist(["full", "1hqk", "b1qk", "11qk"])),
      share: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
    }),
  ),
  poison: v.optional(v.picklist(["NaN", "infinity", "large"])),
  poisonAnyRule: v.optional(v.boolean()),
  notFinite: v.optional(
    v.strictObject({
      in: v.picklist(["query", "key", "value", "bias"]),
      value: v.picklist(["NaN", "Infinity", "-Infinity"]),
    }),
  ),
  mask: v.optional(
    v.strictObject({
      shape,
      rows: v.optional(v.picklist(["empty-rows", "after-diagonal"])),
      anyByte: v.optional(v.boolean()),
    }),
  ),
  bias: v.optional(
    v.strictObject({
      shape,
      dtype: v.optional(dtype),
      holes: v.optional(
        v.picklist([
          "-inf",
          "-inf-or-0",
          "finfo-min",
          "-inf-rows",
          "finfo-min-rows",
          "finfo-min-and-inf-rows",
          "one-largest",
        ]),
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
