import type { AttentionProblem } from "@heed/core";
import type { ProviderTraits } from "../../runtime/traits.js";

/** Rows and keys of a block from which reading blocks by themselves costs less than it saves. */
const leastBlock = 16;

/**
 * Whether calls of a problem can be computed block by block: the only rule that hides keys is a block mask, with or without
 * the program that made it, and its blocks are whole.
 */
export function suitsTiles(problem: AttentionProblem, { infinities }: ProviderTraits): boolean {
  const { blockMask, scoreMod, mask, bias, alibi, sinks, returns } = problem;
  // On a GPU each block would be gathered from a tensor that is uploaded first.
  if (blockMask === null || !infinities) return false;
  if (scoreMod || mask || bias || alibi || sinks || returns.weights || returns.scores) return false;
  return hasNoBand(problem) && isWhole(problem, blockMask);
}

function hasNoBand({ causal, window, kvLengths, positions }: AttentionProblem): boolean {
  return !causal && window === null && !kvLengths && positions !== "data";
}

function isWhole(
  { queryLength, keyLength, kvDtype, dtype }: AttentionProblem,
  { queryBlock, keyBlock }: NonNullable<AttentionProblem["blockMask"]>,
): boolean {
  if (kvDtype !== dtype || Math.min(queryBlock, keyBlock) < leastBlock) return false;
  return queryLength % queryBlock === 0 && keyLength % keyBlock === 0;
}
