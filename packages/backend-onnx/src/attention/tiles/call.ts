import { type AttentionProblem, type BoundAttention, Sequence } from "@heed/core";
import type { BlockMask } from "@heed/core/program";
import type { Asks } from "./kinds.js";

/** Sizes of a tensor of rank 4. */
export type Shape = readonly [number, number, number, number];

/** A call with a block mask. */
export interface TileCall {
  readonly problem: AttentionProblem;
  readonly bound: BoundAttention;
  readonly blocks: BlockMask;
  /** The blocks of which the mask program is asked. */
  readonly asks: Asks;
  readonly sequences: readonly Sequence[];
}

/** The call; null without a block mask. */
export function tileCall(problem: AttentionProblem, bound: BoundAttention): TileCall | null {
  const { blockMask, maskMod } = bound;
  if (blockMask === null) return null;
  // A program that has not made the block mask is to be asked of each key.
  const asks = maskMod === null ? "none" : blockMask.skipsProgram ? "partial" : "all";
  const sequences = Array.from(
    { length: problem.sequences },
    (_, s) => new Sequence(problem, bound, s),
  );
  return { problem, bound, blocks: blockMask.blocks, asks, sequences };
}
