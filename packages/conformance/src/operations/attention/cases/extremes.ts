import { type ConformanceCase, ofProfile } from "../../../run/case.js";
import type { CaseSpec } from "../spec.js";

const small: CaseSpec = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  queryLength: 6,
  keyLength: 9,
  headDim: 8,
  returns: { logSumExp: true, weights: true },
};

const [Q, K] = [6, 9];
const everyThird = { shape: [Q, K], rows: "empty-rows" } as const;
export const afterDiagonal: NonNullable<CaseSpec["mask"]> = {
  shape: [Q, K],
  rows: "after-diagonal",
};

/** Rows that see no key, by one rule, or by two that each leave some. */
const emptyRows: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["causal", { causal: true, queryOffset: -3 }],
  ["window-past-the-keys", { window: { left: 1 }, queryOffset: 7 }],
  ["window-before-the-keys", { window: { right: 1 }, queryOffset: -4 }],
  ["causal-few", { queryLength: 2, causal: true, queryOffset: -1, returns: { logSumExp: true } }],
  ["mask-and-causal", { causal: true, queryOffset: 0, mask: afterDiagonal }],
  ["mask-and-window", { window: { right: 0 }, queryOffset: 0, mask: afterDiagonal }],
  ["mask-and-bias", { mask: everyThird, bias: { shape: [4, Q, K], holes: "-inf" } }],
  [
    "bias-and-causal",
    { bias: { shape: [Q, K], holes: "-inf-rows" }, causal: true, queryOffset: -2 },
  ],
];

/** Cases with rows that see no key, without sinks and with. */
export function emptyRowsBy(
  name: string,
  spec: Partial<CaseSpec>,
): readonly Omit<ConformanceCase, "profile">[] {
  return [
    { id: `numerics/empty-rows-${name}`, spec: { ...small, ...spec } },
    {
      id: `numerics/empty-rows-${name}-sinks`,
      spec: { ...small, ...spec, sinks: [0.5, -Infinity, -3, 2] },
    },
  ];
}

/** One key takes a row's whole weight: the last that exists, in a tile that is not full. */
const winners: readonly (readonly [name: string, spec: CaseSpec])[] = [
  ["l129", { queryLength: 5, keyLength: 129 }],
  ["l67", { queryLength: 5, keyLength: 67 }],
  ["decode", { queryLength: 1, keyLength: 1025, queryHeads: 4, kvHeads: 1 }],
  ["causal", { queryLength: 67, causal: true }],
  ["window", { queryLength: 67, window: { left: 3 } }],
];

/** Values at the ends of a dtype, and more rows, heads or keys than an index or a grid may hold. */
export const extremeCases: readonly ConformanceCase[] = ofProfile("numerics", [
  ...emptyRows.flatMap(([name, spec]) => emptyRowsBy(name, spec)),
  ...winners.map(([name, spec]) => ({
    id: `numerics/one-hot-${name}`,
    spec: { ...spec, values: "last-key-wins" as const, returns: { logSumExp: true } },
  })),
  ...(["float32", "float16", "float64"] as const).flatMap((dtype) =>
    (["subnormal-scores", "largest-values"] as const).map((values) => ({
      id: `numerics/${values}-${dtype}`,
      spec: { dtype, values, queryLength: 9, keyLength: 37, returns: { logSumExp: true } },
    })),
  ),
  {
    // More than 65,535 rows of work: what one dimension of a WebGPU dispatch holds.
    id: "numerics/many-heads",
    rows: 64,
    spec: { batch: 257, queryHeads: 256, queryLength: 1, keyLength: 3, headDim: 4 },
  },
  {
    // The same by heads times tiles of up to 64 queries.
    id: "numerics/many-tiles-gqa",
    rows: 64,
    spec: {
      queryHeads: 32_770,
      kvHeads: 16_385,
      queryLength: 65,
      keyLength: 2,
      headDim: 1,
      returns: { logSumExp: true },
    },
  },
  {
    id: "numerics/many-queries",
    rows: 64,
    spec: { queryHeads: 1, queryLength: 70_001, keyLength: 3, headDim: 4 },
  },
  {
    id: "numerics/many-keys",
    rows: 32,
    spec: {
      queryHeads: 4,
      kvHeads: 2,
      queryLength: 3,
      keyLength: 32_771,
      headDim: 8,
      causal: true,
      queryOffset: "bottom-right",
      returns: { logSumExp: true },
    },
  },
]);
