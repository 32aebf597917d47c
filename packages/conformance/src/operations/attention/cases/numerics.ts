import { type ConformanceCase, ofProfile } from "../../../run/case.js";
import type { CaseSpec } from "../spec.js";

const dtypes = ["float64", "float16"] as const;

const shapes: readonly (readonly [name: string, spec: CaseSpec])[] = [
  ["l7", { queryLength: 7 }],
  ["l65-d59", { queryLength: 65, headDim: 59 }],
  [
    "gqa-cross",
    { batch: 2, queryHeads: 4, kvHeads: 2, queryLength: 9, keyLength: 70, valueDim: 24 },
  ],
  ["d256-dv1", { queryLength: 9, headDim: 256, valueDim: 1 }],
  ["causal", { queryLength: 70, causal: true, returns: { logSumExp: true } }],
  ["blhd", { batch: 2, queryLength: 20, layout: "blhd" }],
  ["offset", { batch: 2, queryLength: 20, layout: "offset" }],
  ["mask-bias", { queryLength: 9, mask: { shape: [9, 9] }, bias: { shape: [9, 9] } }],
  ["bias-float32", { queryLength: 9, bias: { shape: [9, 9], dtype: "float32" } }],
  ["returns", { queryLength: 9, returns: { logSumExp: true, weights: true, scores: "raw" } }],
  ["alibi-window", { queryLength: 30, alibi: true, window: { left: 8, right: 3 } }],
  [
    "empty-rows",
    { queryLength: 9, mask: { shape: [9, 9], rows: "empty-rows" }, returns: { logSumExp: true } },
  ],
];

const special = ["large-scores", "equal-keys", "last-key-wins", "subnormal-values"] as const;

const hidden: readonly (readonly [name: string, spec: CaseSpec])[] = [
  ["causal", { batch: 2, queryLength: 9, keyLength: 100, causal: true, queryOffset: 20 }],
  [
    "causal-per-batch",
    { batch: 2, queryLength: 9, keyLength: 100, causal: true, queryOffset: [3, 70] },
  ],
  [
    "window",
    { batch: 2, queryLength: 5, keyLength: 150, window: { left: 10, right: 5 }, queryOffset: 60 },
  ],
  [
    // A logit that turned into NaN must not pass for a row that sees nothing.
    "window-mask-alibi",
    {
      queryHeads: 1,
      queryLength: 1,
      keyLength: 33,
      window: { left: 4 },
      queryOffset: "bottom-right",
      mask: { shape: [33] },
      alibi: true,
    },
  ],
  [
    "causal-mask-bias",
    {
      batch: 2,
      queryLength: 5,
      keyLength: 40,
      causal: true,
      queryOffset: 20,
      mask: { shape: [5, 40] },
      bias: { shape: [5, 40], holes: "-inf" },
    },
  ],
  [
    "window-decode",
    {
      batch: 2,
      queryLength: 1,
      keyLength: 150,
      window: { left: 10 },
      causal: true,
      queryOffset: 100,
    },
  ],
];

/**
 * Cases in which keys and values that positions hide hold each kind of poison.
 *
 * @param inFloat16 whether also in float16
 */
export function poisonedBy(
  name: string,
  spec: CaseSpec,
  inFloat16: boolean = false,
): readonly Omit<ConformanceCase, "profile">[] {
  return [
    ...(["NaN", "infinity", "large"] as const).map((poison) => ({
      id: `numerics/poison-${poison}-${name}`,
      spec: { ...spec, poison },
    })),
    ...(inFloat16
      ? [
          {
            id: `numerics/poison-NaN-${name}-float16`,
            spec: { ...spec, poison: "NaN" as const, dtype: "float16" as const },
          },
        ]
      : []),
  ];
}

/** Other dtypes, and numbers at which shortcuts break. */
export const numericsCases: readonly ConformanceCase[] = ofProfile("numerics", [
  ...dtypes.flatMap((dtype) =>
    shapes.map(([name, spec]) => ({ id: `numerics/${dtype}-${name}`, spec: { dtype, ...spec } })),
  ),
  ...(["float32", ...dtypes] as const).flatMap((dtype) =>
    special
      // float16 has no room for products of 10⁴.
      .filter((values) => dtype !== "float16" || values !== "large-scores")
      .map((values) => ({
        id: `numerics/${values}-${dtype}`,
        spec: { dtype, values, queryLength: 20, keyLength: 131, returns: { logSumExp: true } },
      })),
  ),
  ...hidden.flatMap(([name, spec]) => poisonedBy(name, spec, name === "window")),
]);
