import type { CaseSpec } from "../spec.js";

const base: CaseSpec = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  queryLength: 9,
  keyLength: 21,
  headDim: 16,
  causal: true,
  queryOffset: 5,
  scale: 0.3,
  returns: { logSumExp: true },
};

/**
 * A problem, and others that differ from it in one thing each: what a cache of plans, pipelines or
 * workspaces may forget in its key.
 */
export const variations: Readonly<Record<string, CaseSpec>> = {
  base,
  "another batch size": { ...base, batch: 3 },
  "other head counts": { ...base, queryHeads: 2, kvHeads: 1 },
  "as many key heads as query heads": { ...base, kvHeads: 4 },
  "another query length": { ...base, queryLength: 8 },
  "another key length": { ...base, keyLength: 22 },
  "another head size": { ...base, headDim: 15, valueDim: 16 },
  "another value size": { ...base, valueDim: 15 },
  "not causal": { ...base, causal: false },
  "another offset": { ...base, queryOffset: 6 },
  "offsets per batch": { ...base, queryOffset: [5, 7] },
  "the bottom right": { ...base, queryOffset: "bottom-right" },
  "lengths of the keys": { ...base, kvLengths: [21, 20] },
  "other lengths of the keys": { ...base, kvLengths: [3, 21] },
  "a window": { ...base, window: { left: 4 } },
  "a wider window": { ...base, window: { left: 5 } },
  "a window to the right": { ...base, causal: false, window: { right: 2 } },
  "a scale": { ...base, scale: 0.31 },
  "a softcap": { ...base, softcap: 2 },
  "another softcap": { ...base, softcap: 2.5 },
  alibi: { ...base, alibi: true },
  sinks: { ...base, sinks: [0, 1, 2, 3] },
  "other sinks": { ...base, sinks: [3, 2, 1, 0] },
  "a mask of keys": { ...base, mask: { shape: [21] } },
  "a mask of rows": { ...base, mask: { shape: [9, 21] } },
  "a mask of batches": { ...base, mask: { shape: [2, 1, 1, 21] } },
  "a mask of heads": { ...base, mask: { shape: [4, 1, 21] } },
  "a bias of keys": { ...base, bias: { shape: [21] } },
  "a bias of heads": { ...base, bias: { shape: [4, 9, 21] } },
  "weights too": { ...base, returns: { logSumExp: true, weights: true } },
  "raw scores too": { ...base, returns: { logSumExp: true, scores: "raw" } },
  "biased scores too": { ...base, alibi: true, returns: { logSumExp: true, scores: "biased" } },
  float16: { ...base, dtype: "float16" },
  float64: { ...base, dtype: "float64" },
};
