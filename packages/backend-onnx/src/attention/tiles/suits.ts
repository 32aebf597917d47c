import type { AttentionProblem } from "@heed/core";
import type { ProviderTraits } from "../../runtime/traits.js";
import { addsToScore } from "./added.js";

/** Rows and keys of a block from which reading blocks by themselves costs less than it saves. */
const leastBlock = 16;

/**
 * Whether calls of a problem can be computed block by block: they have a block mask, its blocks are whole, and everything
 * else that hides keys or changes scores can be written down for the visited keys as a mask and a bias.
 */
export function suitsTiles(problem: AttentionProblem, { infinities }: ProviderTraits): boolean {
  const { blockMask, sinks, returns, kvLengths, positions } = problem;
  // On a GPU each block would be gathered from a tensor that is uploaded first.
  if (blockMask === null || !infinities) return false;
  if (sinks || returns.weights || returns.scores || kvLengths || positions === "data") return false;
  return mayBeBias(problem) && isWhole(problem, blockMask);
}

/** Whether bias, ALiBi and score program are numbers that are added to float32 scores. */
function mayBeBias({ dtype, bias, alibi, scoreMod }: AttentionProblem): boolean {
  if (!bias && !alibi && !scoreMod) return true;
  if (dtype !== "float32" || (bias && bias.dtype !== "float32")) return false;
  return scoreMod === null || addsToScore(scoreMod);
}

function isWhole(
  { queryLength, keyLength, kvDtype, dtype }: AttentionProblem,
  { queryBlock, keyBlock }: NonNullable<AttentionProblem["blockMask"]>,
): boolean {
  if (kvDtype !== dtype || Math.min(queryBlock, keyBlock) < leastBlock) return false;
  return queryLength % queryBlock === 0 && keyLength % keyBlock === 0;
}
