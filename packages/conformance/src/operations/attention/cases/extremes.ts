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

/**
 * Equal scores of values next to the dtype's largest: the sum over keys overflows unless it is divided on the way, and
 * the average does not.
 */
const largestSums: readonly (readonly [name: string, spec: CaseSpec, resident?: boolean])[] = [
  ["decode", { queryLength: 1, keyLength: 37 }, true],
  ["decode-sinks", { queryLength: 1, keyLength: 37, sinks: true, returns: { logSumExp: true } }],
  ["decode-gqa", { batch: 2, queryHeads: 8, kvHeads: 2, queryLength: 1, keyLength: 130 }],
  ["l9", { queryLength: 9, keyLength: 37 }, true],
  ["l9-log-sum-exp", { queryLength: 9, keyLength: 37, returns: { logSumExp: true } }, true],
  [
    "l9-sinks-weights",
    { queryLength: 9, keyLength: 37, sinks: true, returns: { logSumExp: true, weights: true } },
  ],
  [
    "l9-mask",
    {
      queryLength: 9,
      keyLength: 37,
      mask: { shape: [9, 37], rows: "empty-rows" },
      returns: { logSumExp: true, weights: true },
    },
    true,
  ],
  ["l9-bias", { queryLength: 9, keyLength: 37, bias: { shape: [2, 9, 37], holes: "-inf" } }],
  ["l70-alibi-window", { queryLength: 70, alibi: true, window: { left: 40, right: 9 } }],
  ["l70-causal", { queryLength: 70, causal: true, returns: { logSumExp: true } }],
  ["l67", { batch: 2, queryHeads: 4, kvHeads: 2, queryLength: 67, keyLength: 131, valueDim: 24 }],
  ["kv-lengths", { batch: 3, queryLength: 5, keyLength: 80, kvLengths: [0, 37, 80] }],
  // A sum that overflows is told from a NaN or an infinity that no row sees.
  ["kv-lengths-poison", { queryLength: 5, keyLength: 80, kvLengths: [61], poison: "NaN" }],
  [
    "l9-mask-poison",
    {
      queryLength: 9,
      keyLength: 37,
      mask: { shape: [1, 37] },
      poison: "NaN",
      poisonAnyRule: true,
    },
  ],
  // More keys than any backend sums one after the other; with a length that few numbers divide, and in several rows.
  [
    "decode-long",
    { queryHeads: 4, kvHeads: 1, queryLength: 1, keyLength: 4160, returns: { logSumExp: true } },
  ],
  ["decode-long-odd", { queryLength: 1, keyLength: 4099, valueDim: 40 }],
  ["l17-long", { queryHeads: 1, queryLength: 17, keyLength: 4160, valueDim: 32 }],
  ["l17-long-odd-sinks", { queryHeads: 1, queryLength: 17, keyLength: 4099, sinks: true }],
];

/** The same for keys that are stored otherwise, and for programs. */
const otherLargestSums: readonly (readonly [
  id: `${"serving" | "programs"}/${string}`,
  spec: CaseSpec,
  resident?: boolean,
])[] = [
  [
    "serving/largest-sums-int8",
    { queryLength: 9, keyLength: 37, kvDtype: "int8", returns: { logSumExp: true } },
  ],
  ["serving/largest-sums-int8-decode", { queryLength: 1, keyLength: 70, kvDtype: "int8" }],
  [
    "serving/largest-sums-pages",
    { batch: 2, queryLength: 1, keyLength: 64, pages: { size: 16 } },
    true,
  ],
  [
    "serving/largest-sums-pages-l9",
    { batch: 2, queryLength: 9, keyLength: 64, pages: { size: 16 } },
  ],
  [
    "serving/largest-sums-ragged",
    {
      batch: 3,
      queryLength: 20,
      keyLength: 70,
      ragged: { queries: [1, 20, 0], keys: [70, 33, 5] },
    },
  ],
  [
    "serving/largest-sums-positions",
    { queryLength: 9, keyLength: 50, causal: true, keyPositions: { order: "ring" } },
  ],
  ["programs/largest-sums-mask", { queryLength: 20, keyLength: 50, maskMod: "documents" }],
  [
    "programs/largest-sums-mask-poison",
    {
      queryLength: 20,
      keyLength: 50,
      causal: true,
      queryOffset: 20,
      maskMod: "dilated",
      poison: "NaN",
    },
  ],
  [
    "programs/largest-sums-mask-poison-decode",
    { queryLength: 1, keyLength: 50, maskMod: "prefix", poison: "infinity" },
  ],
  ["programs/largest-sums-score", { queryLength: 9, keyLength: 37, scoreMod: "capped" }],
];

/** Values at the ends of a dtype, and more rows, heads or keys than an index or a grid may hold. */
export const extremeCases: readonly ConformanceCase[] = [
  ...otherLargestSums.map(
    ([id, spec, resident = false]): ConformanceCase => ({
      id,
      profile: id.startsWith("serving/") ? "serving" : "programs",
      spec: { values: "largest-values", scale: 0, ...spec },
      resident,
    }),
  ),
  ...ofProfile("numerics", [
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
    ...(["float32", "float16", "float64"] as const).flatMap((dtype) =>
      largestSums.map(([name, spec, resident = false]) => ({
        id: `numerics/largest-sums-${name}-${dtype}`,
        spec: { dtype, values: "largest-values" as const, scale: 0, ...spec },
        resident,
      })),
    ),
    {
      // A scale of 0 keeps some operators from being taken.
      id: "numerics/largest-sums-small-scale",
      spec: { values: "largest-values", queryLength: 20, keyLength: 37, scale: 1e-9 },
    },
    {
      // As many rows and as wide heads as operators that work in tiles ask for.
      id: "numerics/largest-sums-l800-causal",
      rows: 32,
      spec: {
        values: "largest-values",
        scale: 1e-9,
        queryHeads: 1,
        queryLength: 800,
        headDim: 64,
        causal: true,
      },
    },
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
  ]),
];
