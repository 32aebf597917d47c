import { type ConformanceCase, ofProfile } from "../../../run/case.js";
import type { CaseSpec } from "../spec.js";
import { finfoMinCall } from "./bases.js";

const [Q, K] = [6, 9];

/** Every third row of the bias is the lowest finite number, and nothing else. */
const rows = { shape: [Q, K], holes: "finfo-min-rows" } as const;

const small = finfoMinCall;

/** Scores so small that it hardly matters whether the bias swallows them: weights are known. */
export const faint: Pick<CaseSpec, "scale"> = { scale: 0.002 };

const alone: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["rows", {}],
  ["rows-faint", faint],
  ["rows-heads", { ...faint, bias: { shape: [4, Q, K], holes: "finfo-min-rows" } }],
  [
    "rows-long",
    {
      ...faint,
      queryLength: 75,
      keyLength: 150,
      bias: { shape: [75, 150], holes: "finfo-min-rows" },
    },
  ],
  [
    "rows-decode",
    {
      ...faint,
      queryLength: 1,
      keyLength: 90,
      bias: { shape: [4, 1, 90], holes: "finfo-min-rows" },
    },
  ],
  [
    "rows-decode-long",
    {
      ...faint,
      batch: 1,
      queryLength: 1,
      keyLength: 1500,
      bias: { shape: [4, 1, 1500], holes: "finfo-min-rows" },
    },
  ],
  ["rows-output-only", { returns: {} }],
  ["rows-alibi", { ...faint, alibi: true, queryOffset: 3 }],
  ["rows-sinks", { sinks: [0.5, -Infinity, -3, 2] }],
];

/** Beside what hides keys altogether: those weigh nothing, and the others share the row. */
const beside: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["mask", { ...faint, mask: { shape: [2, 1, 1, K] } }],
  ["mask-empty-rows", { ...faint, mask: { shape: [Q, K], rows: "after-diagonal" } }],
  ["minus-infinity", { ...faint, bias: { shape: [4, Q, K], holes: "finfo-min-and-inf-rows" } }],
  ["causal", { ...faint, causal: true, queryOffset: -2 }],
  ["window", { ...faint, window: { left: 2, right: 1 }, queryOffset: 1 }],
];

/**
 * Rows whose every key has the lowest finite number as its bias, as models mask padding: finite, so
 * that such a row sees its keys, and lower than any score, so that it says nothing about them.
 */
export const finfoMinCases: readonly ConformanceCase[] = [
  ...ofProfile("masks", [
    ...alone.map(([name, spec]) => ({
      id: `masks/finfo-min-${name}`,
      spec: { ...small, ...spec },
    })),
    ...beside.map(([name, spec]) => ({
      id: `masks/finfo-min-rows-and-${name}`,
      spec: { ...small, ...spec },
    })),
  ]),
  ...ofProfile("numerics", [
    ...(["float16", "float64"] as const).map((dtype) => ({
      id: `numerics/finfo-min-rows-${dtype}`,
      spec: { ...small, ...faint, dtype },
    })),
    {
      // Lower than anything that the dtype of the inputs can hold.
      id: "numerics/finfo-min-rows-float16-bias-float32",
      spec: { ...small, ...faint, dtype: "float16", bias: { ...rows, dtype: "float32" } },
    },
  ]),
];
