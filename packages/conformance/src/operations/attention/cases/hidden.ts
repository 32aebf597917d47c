import { type ConformanceCase, ofProfile } from "../../../run/case.js";
import type { CaseSpec } from "../spec.js";

const small: CaseSpec = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  queryLength: 5,
  keyLength: 37,
  headDim: 8,
  returns: { logSumExp: true, weights: true },
};

const keys = { mask: { shape: [2, 1, 1, 37] } } as const;
const holes = { bias: { shape: [2, 1, 1, 37], holes: "-inf" } } as const;

/** Rules that hide keys from every row, each alone and beside rules that leave some. */
const rules: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["mask", keys],
  ["mask-of-one-key", { keyLength: 2, queryLength: 1, mask: { shape: [2] } }],
  ["mask-of-heads", { mask: { shape: [4, 1, 37] } }],
  ["mask-of-rows", { queryLength: 1, mask: { shape: [2, 4, 1, 37] } }],
  ["mask-empty-rows", { queryLength: 3, mask: { shape: [3, 37], rows: "empty-rows" } }],
  ["bias", holes],
  ["bias-of-heads", { bias: { shape: [4, 1, 37], holes: "-inf" } }],
  ["mask-and-bias", { ...keys, ...holes }],
  ["mask-and-causal", { ...keys, causal: true, queryOffset: 20 }],
  ["mask-and-window", { ...keys, window: { left: 9, right: 4 }, queryOffset: 15 }],
  ["mask-and-kv-lengths", { ...keys, kvLengths: [13, 30] }],
  ["bias-and-kv-lengths", { ...holes, kvLengths: [13, 30], causal: true, queryOffset: 25 }],
  ["mask-decode", { ...keys, queryLength: 1, kvLengths: [29, 37] }],
  ["mask-long", { queryLength: 70, keyLength: 150, mask: { shape: [2, 1, 1, 150] } }],
  ["mask-sinks", { ...keys, sinks: true }],
  ["mask-alibi", { ...keys, alibi: true, queryOffset: 32 }],
  ["mask-output-only", { ...keys, returns: {} }],
];

const shapes = [
  [7],
  [5, 7],
  [2, 1, 1, 7],
  [1, 4, 5, 7],
  [2, 4, 1, 7],
  [2, 4, 5, 1],
  [2, 4, 5, 7],
] as const;

const byteRules: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["alone", {}],
  ["causal", { causal: true, queryOffset: 3 }],
  ["window", { window: { left: 2, right: 1 }, queryOffset: 1 }],
  ["kv-lengths", { kvLengths: [5, 7] }],
];

/**
 * Keys and values that any rule hides must not affect the output, whatever numbers they hold; and a byte
 * of a mask is true unless it is 0.
 */
export const hiddenCases: readonly ConformanceCase[] = [
  ...ofProfile(
    "numerics",
    rules.flatMap(([name, spec]) =>
      (["NaN", "infinity", "large"] as const).map((poison) => ({
        id: `numerics/hidden-${poison}-${name}`,
        spec: { ...small, ...spec, poison, poisonAnyRule: true },
      })),
    ),
  ),
  ...ofProfile(
    "numerics",
    (["mask", "bias"] as const).map((name) => ({
      id: `numerics/hidden-NaN-${name}-float16`,
      spec: {
        ...small,
        ...(name === "mask" ? keys : holes),
        dtype: "float16" as const,
        poison: "NaN" as const,
        poisonAnyRule: true,
      },
    })),
  ),
  ...ofProfile(
    "masks",
    shapes.flatMap((shape) =>
      byteRules.map(([name, spec]) => ({
        id: `masks/any-byte-${shape.join("x")}-${name}`,
        spec: {
          batch: 2,
          queryHeads: 4,
          kvHeads: 2,
          queryLength: 5,
          keyLength: 7,
          headDim: 8,
          ...spec,
          mask: { shape, anyByte: true },
          returns: { logSumExp: true },
        },
      })),
    ),
  ),
];
