import { type ConformanceCase, ofProfile } from "../../../run/case.js";
import type { CaseSpec } from "../spec.js";

const small: CaseSpec = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  queryLength: 5,
  keyLength: 11,
  headDim: 8,
  returns: { logSumExp: true, weights: true },
};

/** Parameters next to the largest and the smallest float32: finite inputs give finite results. */
const parameters: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["sinks-3e38", { sinks: [3e38, -3e38, 0, 1e20] }],
  ["sinks-3e38-decode", { queryLength: 1, sinks: [3e38, -3e38, 0, 1e20] }],
  ["bias-largest", { bias: { shape: [5, 11], holes: "one-largest" } }],
  [
    "bias-largest-heads-decode",
    { queryLength: 1, bias: { shape: [4, 1, 11], holes: "one-largest" } },
  ],
  ["scale-3e38-zero-queries", { scale: 3e38, values: "zero-queries" }],
  ["scale-1e-38", { scale: 1e-38 }],
];

/** The ends of the positions: no sum of them may wrap around in 32 bits. */
const positions: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["causal-last", { causal: true, queryOffset: 2 ** 31 - 5 }],
  ["causal-first", { causal: true, queryOffset: -(2 ** 31) }],
  ["causal-window-last", { causal: true, window: { left: 2 ** 31 - 1 }, queryOffset: 4 }],
  [
    "window-past-last",
    { window: { left: 2 ** 31 - 4, right: 2 ** 31 - 1 }, queryOffset: 2 ** 31 - 5 },
  ],
  ["window-right-first", { window: { right: 2 ** 31 - 1 }, queryOffset: -(2 ** 31) }],
  ["window-first", { window: { left: 3, right: 3 }, queryOffset: -(2 ** 31) }],
];

/** Starts and strides that break the alignment of vectors, for kernels of few rows and of many. */
const alignments: readonly (readonly [name: string, spec: CaseSpec])[] = [
  ["decode", { queryLength: 1, keyLength: 40, headDim: 32 }],
  ["decode-gqa", { queryHeads: 8, kvHeads: 2, queryLength: 2, keyLength: 90, headDim: 64 }],
  ["few", { queryLength: 7, keyLength: 40, headDim: 16 }],
  ["many", { queryLength: 70, keyLength: 90, headDim: 64 }],
  ["long-cache", { queryHeads: 4, kvHeads: 2, queryLength: 1, keyLength: 1500, headDim: 64 }],
];

/** Many keys of nearly the same score: float32 sums over all of them drift. */
const cache: CaseSpec = {
  queryHeads: 1,
  queryLength: 1,
  keyLength: 32_768,
  headDim: 8,
  values: "nearly-equal-scores",
  returns: { logSumExp: true },
};

export const edgeCases: readonly ConformanceCase[] = ofProfile("numerics", [
  ...parameters.map(([name, spec]) => ({
    id: `numerics/edge-${name}`,
    spec: { ...small, ...spec },
  })),
  ...positions.map(([name, spec]) => ({
    id: `numerics/position-${name}`,
    spec: { ...small, ...spec },
  })),
  ...(["odd-start", "odd-heads"] as const).flatMap((layout) =>
    alignments.map(([name, spec]) => ({
      id: `numerics/${layout}-${name}`,
      resident: true,
      spec: { ...spec, layout },
    })),
  ),
  { id: "numerics/nearly-equal-32k", rows: 1, spec: cache },
  {
    id: "numerics/scores-beyond-float16",
    spec: {
      ...small,
      dtype: "float16" as const,
      values: "scores-beyond-float16" as const,
      returns: { logSumExp: true },
    },
  },
]);

/** The same over still more keys, heads and rows, for exhaustive runs. */
export const longestCaches: readonly ConformanceCase[] = ofProfile("numerics", [
  {
    id: "exhaustive/nearly-equal-32k-gqa",
    rows: 2,
    spec: { ...cache, queryHeads: 4, kvHeads: 1, headDim: 4 },
  },
  {
    id: "exhaustive/nearly-equal-32k-rows",
    rows: 2,
    spec: { ...cache, queryLength: 5, headDim: 4 },
  },
  {
    id: "exhaustive/nearly-equal-128k",
    rows: 1,
    spec: { ...cache, keyLength: 131_072, headDim: 4 },
  },
]);
