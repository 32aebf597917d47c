import { type ConformanceCase, ofProfile } from "../../../run/case.js";
import type { CaseSpec } from "../spec.js";
import { returnsCases, smallCall } from "./bases.js";

/** Lengths around the sizes that tiles have, and head sizes that no vector width divides. */
const shapes: readonly (readonly [name: string, spec: CaseSpec])[] = [
  ["one", { queryLength: 1 }],
  ["l7", { queryLength: 7 }],
  ["l8-d8", { queryLength: 8, headDim: 8 }],
  ["l16-d7", { queryLength: 16, headDim: 7 }],
  ["l16-d64", { queryLength: 16, headDim: 64 }],
  ["l24-d16", { queryLength: 24 }],
  ["l33-d59", { queryLength: 33, headDim: 59 }],
  ["l48-d24", { queryLength: 48, headDim: 24 }],
  ["l59-d15", { queryLength: 59, headDim: 15 }],
  ["l64-d80", { queryLength: 64, headDim: 80 }],
  ["l65-d1", { queryLength: 65, headDim: 1 }],
  ["l96-d8", { queryLength: 96, headDim: 8 }],
  ["l97-d128", { queryLength: 97, headDim: 128 }],
  ["l129-d32", { queryLength: 129, headDim: 32 }],
  ["l197-d64", { queryLength: 197, headDim: 64, queryHeads: 1 }],
  ["l257-d3", { queryLength: 257, headDim: 3, queryHeads: 1 }],
  ["d256", { queryLength: 17, headDim: 256 }],
  ["d300-dv70", { queryLength: 9, headDim: 300, valueDim: 70 }],
  ["batch3-heads3", { batch: 3, queryHeads: 3, queryLength: 5 }],
  ["cross-q3-k50", { queryLength: 3, keyLength: 50 }],
  ["cross-q50-k3", { queryLength: 50, keyLength: 3 }],
  ["cross-q1-k1025", { queryLength: 1, keyLength: 1025, headDim: 8 }],
  ["cross-q1025-k1", { queryLength: 1025, keyLength: 1, headDim: 8 }],
  ["cross-q130-k259", { queryLength: 130, keyLength: 259, queryHeads: 1 }],
  ["dv-larger", { queryLength: 9, headDim: 8, valueDim: 40 }],
  ["dv-smaller", { queryLength: 9, headDim: 40, valueDim: 7 }],
  ["q28-k13-d6-dv11", { queryLength: 28, keyLength: 13, headDim: 6, valueDim: 11 }],
  ["dv1", { queryLength: 9, headDim: 16, valueDim: 1 }],
];

const heads: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["gqa-4-2", { queryHeads: 4, kvHeads: 2 }],
  ["gqa-6-2", { queryHeads: 6, kvHeads: 2 }],
  ["mqa-4-1", { queryHeads: 4, kvHeads: 1 }],
  ["mqa-5-1", { queryHeads: 5, kvHeads: 1 }],
  ["gqa-9-3-batch2", { batch: 2, queryHeads: 9, kvHeads: 3 }],
];

const layouts = ["blhd", "bhdl", "packed", "offset"] as const;

const outputs: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["lse", { returns: { logSumExp: true } }],
  ["weights", { returns: { weights: true } }],
  ["scores-raw", { returns: { scores: "raw" } }],
  ["scores-biased", { bias: { shape: [13] }, returns: { scores: "biased" } }],
  ["all", { returns: { logSumExp: true, weights: true, scores: "raw" } }],
];

/** Features that nearly every model needs, in sizes so small that only the feature can be wrong. */
const features: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["causal-offset", { causal: true, queryOffset: 3 }],
  ["causal-offset-negative", { causal: true, queryOffset: -2 }],
  ["causal-offset-per-batch", { causal: true, queryOffset: [4, -1] }],
  ["causal-offset-batch3", { batch: 3, causal: true, queryOffset: [2, 6, 4] }],
  ["causal-bottom-right", { causal: true, queryOffset: "bottom-right" }],
  ["mask-keys", { mask: { shape: [2, 1, 1, 11] } }],
  ["mask-queries", { mask: { shape: [5, 11] } }],
  ["mask-heads", { mask: { shape: [4, 5, 11] } }],
  ["mask-empty-rows", { mask: { shape: [5, 11], rows: "empty-rows" } }],
  ["bias-heads", { bias: { shape: [4, 5, 11] } }],
  ["bias-minus-infinity", { bias: { shape: [2, 1, 5, 11], holes: "-inf" } }],
  // Over several tiles, whatever their size: a row has one sink.
  ["sinks-k150", { keyLength: 150, sinks: true }],
];

/** Lengths of keys whose scores rise: every tile raises the maximum, and the last is not full. */
const rising = [19, 70, 150] as const;

const scales = [0.3, 0, -0.5, 3] as const;

const empty: readonly (readonly [name: string, spec: CaseSpec])[] = [
  ["queries", { queryLength: 0, keyLength: 5, returns: { logSumExp: true, weights: true } }],
  ["keys", { queryLength: 5, keyLength: 0, returns: { logSumExp: true, weights: true } }],
  ["keys-with-sinks", { queryLength: 5, keyLength: 0, sinks: true, returns: { logSumExp: true } }],
  ["batch", { batch: 0, queryLength: 5 }],
  ["heads", { queryHeads: 0, kvHeads: 0, queryLength: 5 }],
  ["query-heads", { queryHeads: 0, kvHeads: 2, queryLength: 5 }],
  ["keys-masked", { queryLength: 5, keyLength: 0, mask: { shape: [5, 0] } }],
];

/** The cases that a first backend must pass. */
export const coreCases: readonly ConformanceCase[] = ofProfile("core", [
  ...shapes.map(([name, spec]) => ({ id: `core/shape-${name}`, spec })),
  ...heads.map(([name, spec]) => ({
    id: `core/heads-${name}`,
    spec: { queryLength: 11, keyLength: 19, ...spec },
  })),
  ...layouts.map((layout) => ({
    id: `core/layout-${layout}`,
    spec: { batch: 2, queryHeads: 4, kvHeads: 2, queryLength: 21, headDim: 20, layout },
  })),
  ...outputs.flatMap(([name, spec]) => returnsCases(name, spec)),
  ...scales.map((scale) => ({ id: `core/scale-${scale}`, spec: { queryLength: 9, scale } })),
  { id: "core/shared-key-value", spec: { queryLength: 9, sharedKeyValue: true } },
  ...features.map(([name, spec]) => ({
    id: `core/${name}`,
    spec: { ...smallCall, ...spec },
  })),
  ...rising.map((keyLength) => ({
    id: `core/rising-scores-k${keyLength}`,
    spec: {
      queryHeads: 4,
      kvHeads: 2,
      queryLength: 5,
      keyLength,
      values: "rising-scores" as const,
      returns: { logSumExp: true },
    },
  })),
  { id: "core/causal", spec: { queryLength: 40, causal: true } },
  { id: "core/causal-l150", spec: { queryLength: 150, causal: true, headDim: 24 } },
  ...empty.map(([name, spec]) => ({ id: `core/empty-${name}`, spec })),
]);
