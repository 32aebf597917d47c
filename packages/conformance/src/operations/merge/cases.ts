import type { Assignment } from "../../calls/cover.js";
import { pairedSpecs, type SpecFactors } from "../../calls/pairs.js";
import type { OperationCase } from "../../run/case.js";
import { callCases } from "../../run/check-call.js";
import { buildMerge } from "./build.js";
import { judgedMerge } from "./judged.js";
import type { MergeSpec } from "./spec.js";

type Named = readonly [name: string, spec: MergeSpec];

const shapes: readonly Named[] = [
  ...[1, 2, 3, 9, 17].map((parts): Named => [`p${parts}`, { parts, rows: [7] }]),
  ...[1, 7, 64, 80].map(
    (valueDim): Named => [`d${valueDim}`, { parts: 3, rows: [1, 2, 5], valueDim }],
  ),
  ...[1, 7, 97].map((rows): Named => [`r${rows}`, { parts: 3, rows: [rows], valueDim: 80 }]),
  ["one", { parts: 1, rows: [1], valueDim: 1 }],
  ["decode", { parts: 9, rows: [4, 8, 1] }],
  ["prefill", { parts: 2, rows: [2, 3, 33] }],
  ["no-axes", { parts: 3, rows: [], valueDim: 7 }],
  ["eight-axes", { parts: 3, rows: [1, 2, 1, 3, 1, 1, 2, 1], valueDim: 7 }],
  ["many-parts", { parts: 130, rows: [3], valueDim: 7 }],
  ["many-rows", { parts: 2, rows: [1100], valueDim: 7 }],
  ["empty-rows", { parts: 2, rows: [0] }],
  ["empty-batch", { parts: 2, rows: [0, 2, 3] }],
];

const dtypes: Readonly<Record<string, Partial<MergeSpec>>> = {
  float32: {},
  float16: { dtype: "float16" },
  float64: { dtype: "float64" },
  "float16-of-float16-lse": { dtype: "float16", logSumExpDType: "float16" },
  "float32-of-float64-lse": { logSumExpDType: "float64" },
  "float64-of-float32-lse": { dtype: "float64", logSumExpDType: "float32" },
};

const kinds = [
  "near",
  "far",
  "1e4",
  "-1e4",
  "1e6",
  "ends",
  "equal",
  "all-empty",
  "some-empty",
  "one-seen",
  "large-outputs",
] as const;

/** Numbers in each dtype that every backend has a case of, and those that no pair should carry. */
const numerics: readonly Named[] = [
  ...(["float32", "float16", "float64"] as const).flatMap((dtype) => [
    ...kinds.map(
      (numbers): Named => [
        `${numbers}-${dtype}`,
        { parts: 5, rows: [2, 10], valueDim: 7, dtype, numbers },
      ],
    ),
    ...(["nan", "infinity", "nan-output", "nan-output-vanishing"] as const).map(
      (numbers): Named => [
        `${numbers}-${dtype}`,
        { parts: 3, rows: [5], valueDim: 9, dtype, numbers },
      ],
    ),
  ]),
  ...(["1e4", "ends", "some-empty", "all-empty"] as const).map(
    (numbers): Named => [`${numbers}-one-part`, { parts: 1, rows: [8], valueDim: 7, numbers }],
  ),
];

const factors: SpecFactors<MergeSpec> = {
  parts: {
    p3: { parts: 3 },
    p1: { parts: 1 },
    p2: { parts: 2 },
    p9: { parts: 9 },
    p17: { parts: 17 },
  },
  rows: {
    r7: { rows: [7] },
    r1: { rows: [1] },
    r97: { rows: [97] },
    r2x3: { rows: [2, 3] },
    r2x3x5: { rows: [2, 3, 5] },
  },
  size: { d64: { valueDim: 64 }, d1: { valueDim: 1 }, d7: { valueDim: 7 }, d80: { valueDim: 80 } },
  dtype: dtypes,
  layout: {
    "row-major": {},
    transposed: { layout: "transposed" },
    gaps: { layout: "gaps" },
    stacked: { layout: "stacked" },
  },
  numbers: Object.fromEntries(kinds.map((numbers) => [numbers, { numbers }])),
};

/** A log-sum-exp of float16 ends at 65504, and what float32 cannot hold is no log-sum-exp of it. */
function compatible({ dtype, numbers }: Assignment): boolean {
  return !(dtype === "float16-of-float16-lse" && numbers === "1e6");
}

/** Every synthetic case of merging. */
export const mergeCases: readonly OperationCase[] = callCases({
  of: judgedMerge,
  build: buildMerge,
  isWide: ({ dtype, logSumExpDType }) => [dtype, logSumExpDType].includes("float64"),
  specs: [
    ...shapes.map(([name, spec]) => [`merge/shape-${name}`, spec] as const),
    ...numerics.map(([name, spec]) => [`merge/numbers-${name}`, spec] as const),
    ...pairedSpecs(factors, compatible, (value) => !value.includes("float64")).map(
      ([name, spec]) => [`merge/pairs-${name}`, spec] as const,
    ),
  ],
});
