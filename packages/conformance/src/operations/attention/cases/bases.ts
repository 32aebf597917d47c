import type { ConformanceCase } from "../../../run/case.js";
import type { CaseSpec } from "../spec.js";

/** Cases that vary the same call start from these. */

/** Two batches of grouped heads, small enough that nothing but a feature itself can be wrong. */
export const smallCall: CaseSpec = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  queryLength: 5,
  keyLength: 11,
  headDim: 8,
  returns: { logSumExp: true },
};

/** The sizes that every broadcast of a mask is tried in: [2, 4, 5, 7]. */
export const smallMasked: CaseSpec = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  queryLength: 5,
  keyLength: 7,
  headDim: 8,
};

/** One query against a cache that two batches fill differently. */
export const cacheCall: CaseSpec = {
  batch: 2,
  queryHeads: 8,
  kvHeads: 2,
  queryLength: 1,
  keyLength: 61,
  headDim: 32,
  kvLengths: [61, 17],
  causal: true,
  queryOffset: "bottom-right",
  returns: { logSumExp: true },
};

/** Every third row of the bias is the lowest finite number, and nothing else. */
export const finfoMinCall: CaseSpec = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  queryLength: 6,
  keyLength: 9,
  headDim: 8,
  values: "positive-values",
  bias: { shape: [6, 9], holes: "finfo-min-rows" },
  returns: { logSumExp: true, weights: true },
};

/** Cases that ask for outputs beside `output`: a small call, and one that spans several tiles. */
export function returnsCases(
  name: string,
  spec: Partial<CaseSpec>,
): Omit<ConformanceCase, "profile">[] {
  return [
    {
      id: `core/returns-${name}`,
      spec: { batch: 2, queryLength: 9, keyLength: 13, ...spec },
    },
    {
      id: `core/returns-${name}-gqa-long`,
      spec: {
        queryHeads: 4,
        kvHeads: 2,
        queryLength: 70,
        keyLength: 150,
        ...spec,
        ...(spec.bias && { bias: { shape: [150] } }),
      },
    },
  ];
}
