import type { Problem } from "@heed/core";

/**
 * Storage of keys and values: a kind of cache of `@heed/cache`, or `"concatenate"`: new tensors at each step,
 * one token longer than those before, as models with the inputs `past` and the outputs `present` have them.
 */
export type DecodeKind = "static" | "rolling" | "paged" | "concatenate";

/** Element type of the stored keys and values. */
export type DecodeDType = "float32" | "float16" | "int8";

/** Sizes of a step. */
export interface DecodeSizes {
  readonly batch: number;
  readonly queryHeads: number;
  readonly kvHeads: number;
  /** Size of the heads of queries, keys and values. */
  readonly headDim: number;
  /** Tokens of each sequence before the first step. */
  readonly length: number;
  readonly kind: DecodeKind;
  readonly dtype: DecodeDType;
}

/** A step of decoding: the keys and values of a token are stored, and its query attends to all that are. */
export interface DecodeProblem extends DecodeSizes, Problem {
  readonly operation: "decode";
  /** Element type of the query and of the rows that are appended. */
  readonly inputDType: string;
}

/** Steps after which a sequence is taken back to its first length, so that each is about as long as the others. */
export const growth = 64;

/** Keys that the first step's query sees. A rolling cache forgets the first token. */
export function keysSeen({ kind, length }: DecodeSizes): number {
  return kind === "rolling" ? length : length + 1;
}

/** Bytes of a key or a value of one token and head; int8 has a float32 scale beside it. */
export function rowBytes({ dtype, headDim }: DecodeSizes): number {
  return dtype === "int8" ? headDim + 4 : headDim * (dtype === "float16" ? 2 : 4);
}
