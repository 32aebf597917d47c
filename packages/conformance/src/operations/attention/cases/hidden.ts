import { type ConformanceCase, ofProfile } from "../../../run/case.js";
import type { CaseSpec } from "../spec.js";
import { smallMasked } from "./bases.js";

const small: CaseSpec = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  queryLength: 5,
  keyLength: 37,
  headDim: 8,
  returns: { logSumExp: true, weights: true },
};

export const keys: Pick<CaseSpec, "mask"> = { mask: { shape: [2, 1, 1, 37] } };
export const holes: Pick<CaseSpec, "bias"> = { bias: { shape: [2, 1, 1, 37], holes: "-inf" } };

const few = { queryLength: 2, returns: { logSumExp: true } } as const;

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
  ["mask-long", { queryLength: 70, keyLength: 150, mask: { shape: [2, 1, 1, 150] } }],
  ["mask-sinks", { ...keys, sinks: true }],
  ["mask-alibi", { ...keys, alibi: true, queryOffset: 32 }],
  ["mask-output-only", { ...keys, returns: {} }],
  // Few rows, without weights: kernels for decoding compute them.
  ["mask-few", { ...keys, ...few }],
  ["mask-one-row", { ...keys, ...few, queryHeads: 2, queryLength: 1 }],
  ["bias-few-d6", { ...holes, ...few, headDim: 6 }],
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
];

/** Cases in which rules hide keys and values that hold each kind of poison. */
export function hiddenBy(name: string, spec: Partial<CaseSpec>): readonly ConformanceCase[] {
  return ofProfile(
    "numerics",
    (["NaN", "infinity", "large"] as const).map((poison) => ({
      id: `numerics/hidden-${poison}-${name}`,
      spec: { ...small, ...spec, poison, poisonAnyRule: true },
    })),
  );
}

/** Cases of masks with other bytes than 0 and 1, of each shape, beside a rule on calls [2, 4, 5, 7]. */
export function anyByteBeside(name: string, spec: Partial<CaseSpec>): readonly ConformanceCase[] {
  return ofProfile(
    "masks",
    shapes.map((shape) => ({
      id: `masks/any-byte-${shape.join("x")}-${name}`,
      spec: {
        ...smallMasked,
        ...spec,
        mask: { shape, anyByte: true },
        returns: { logSumExp: true },
      },
    })),
  );
}

/**
 * Keys and values that any rule hides must not affect the output, whatever numbers they hold; and a byte
 * of a mask is true unless it is 0.
 */
export const hiddenCases: readonly ConformanceCase[] = [
  ...rules.flatMap(([name, spec]) => hiddenBy(name, spec)),
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
    "numerics",
    (["NaN", "infinity"] as const).flatMap((poison) =>
      (["few", "one-row"] as const).map((rows) => ({
        id: `numerics/hidden-${poison}-mask-${rows}-float16`,
        spec: {
          ...small,
          ...keys,
          ...few,
          ...(rows === "one-row" && { queryHeads: 2, queryLength: 1 }),
          dtype: "float16" as const,
          poison,
          poisonAnyRule: true,
        },
      })),
    ),
  ),
  ...byteRules.flatMap(([name, spec]) => anyByteBeside(name, spec)),
];
