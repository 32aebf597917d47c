import { type ConformanceCase, ofProfile } from "../../../run/case.js";
import type { CaseSpec, NotFinite } from "../spec.js";

const small: CaseSpec = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  queryLength: 6,
  keyLength: 19,
  headDim: 8,
  returns: { logSumExp: true, weights: true },
};

/** Rules by which some rows see a key and others do not. */
const rules: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["all", {}],
  ["output-only", { returns: {} }],
  ["causal", { causal: true, queryOffset: 7 }],
  ["window", { window: { left: 2, right: 2 }, queryOffset: 7 }],
  ["mask", { mask: { shape: [2, 4, 6, 19] } }],
  ["sinks", { sinks: true }],
  ["decode", { queryLength: 1 }],
  ["decode-output-only", { queryLength: 1, returns: {} }],
  ["decode-one-row", { queryLength: 1, queryHeads: 2, returns: { logSumExp: true } }],
  ["decode-float16", { queryLength: 1, dtype: "float16", returns: { logSumExp: true } }],
  ["long", { queryLength: 70, keyLength: 150, causal: true, queryOffset: 40 }],
];

const places: readonly (readonly [NotFinite["in"], NotFinite["value"]])[] = [
  ["query", "NaN"],
  ["query", "Infinity"],
  ["key", "NaN"],
  ["key", "Infinity"],
  ["value", "NaN"],
  ["value", "Infinity"],
  ["bias", "NaN"],
  ["bias", "Infinity"],
];

/**
 * NaN and +∞ in what rows see: on a CPU those rows are NaN, on any device the others are right, and
 * nothing fails.
 */
export const notFiniteCases: readonly ConformanceCase[] = ofProfile(
  "numerics",
  rules.flatMap(([rule, spec]) =>
    places.map(([name, value]) => {
      const whole = { ...small, ...spec };
      const heads = whole.queryHeads as number;
      const bias = { shape: [heads, whole.queryLength, whole.keyLength as number] };
      return {
        id: `numerics/seen-${value}-in-${name}-${rule}`,
        spec: { ...whole, ...(name === "bias" && { bias }), notFinite: { in: name, value } },
      };
    }),
  ),
);
