import { features } from "../features/index.js";
import { servingFeatures } from "../features/serving/index.js";
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
  ...Object.fromEntries(
    [...features, ...servingFeatures]
      .flatMap(({ variations: own }) => Object.entries(own))
      .map(([name, part]) => [name, { ...base, ...part }]),
  ),
  "weights too": { ...base, returns: { logSumExp: true, weights: true } },
  "raw scores too": { ...base, returns: { logSumExp: true, scores: "raw" } },
  "biased scores too": { ...base, alibi: true, returns: { logSumExp: true, scores: "biased" } },
  float16: { ...base, dtype: "float16" },
  float64: { ...base, dtype: "float64" },
};
