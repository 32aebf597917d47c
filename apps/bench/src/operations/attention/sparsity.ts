import {
  type AttentionInputs,
  attention,
  type HostTensor,
  tileVisibility,
  visibleBand,
  type Work,
} from "@heed/core";
import { BlockMask, createBlockMask, type MaskProgram } from "@heed/core/program";
import type { CaseTiles } from "../operation.js";

type Call = AttentionInputs<HostTensor>;

/** Queries and keys of a tile where the call has no block mask. */
const side = 64;

/**
 * The tiles of a call whose positions start at 0: those that its block mask leaves empty, or without one, those
 * outside of the band of causal and window. null where every query sees every key.
 */
export function tilesOf(inputs: Call): CaseTiles | null {
  const { blockMask } = inputs;
  if (blockMask instanceof BlockMask) {
    const { empty, partial, full } = blockMask.counts;
    return {
      queries: blockMask.queryBlock,
      keys: blockMask.keyBlock,
      skipped: empty / (empty + partial + full),
    };
  }
  const problem = attention.describe(inputs);
  if (!problem.causal && problem.window === null) return null;
  const { queryLength, keyLength } = problem;
  const band = visibleBand(problem);
  let empty = 0;
  let all = 0;
  for (let q = 0; q < queryLength; q += side) {
    for (let k = 0; k < keyLength; k += side, all++) {
      const tile = { start: k, end: Math.min(keyLength, k + side) };
      const last = Math.min(queryLength, q + side) - 1;
      if (tileVisibility(band, tile, q, last) === "empty") empty++;
    }
  }
  return { queries: side, keys: side, skipped: empty / all };
}

/** The work of a call, with the pairs that its mask program leaves: core counts all in the blocks that it leaves. */
export function workLeft(inputs: Call): Work {
  const workOf = (call: Call): Work =>
    attention.work(attention.bind(attention.describe(call), call));
  const { maskMod } = inputs;
  const { flops, bytes } = workOf(inputs);
  if (maskMod === undefined) return { flops, bytes };
  const { flops: all } = workOf({ ...inputs, blockMask: undefined });
  return { flops: all * shareLeft(maskMod as MaskProgram, inputs), bytes };
}

/** The share of pairs that a program leaves, exactly: by blocks of one query and one key. */
function shareLeft(maskMod: MaskProgram, { query, key }: Call): number {
  const { counts } = createBlockMask(maskMod, {
    batch: query.shape[0] as number,
    heads: query.shape[1] as number,
    queryLength: query.shape[2] as number,
    keyLength: key.shape[2] as number,
    queryBlock: 1,
    keyBlock: 1,
  });
  return counts.full / (counts.full + counts.empty);
}
