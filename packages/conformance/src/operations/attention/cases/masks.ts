import { type ConformanceCase, ofProfile } from "../../../run/case.js";
import { features as callFeatures, pairedFeatures } from "../features/index.js";
import type { CaseSpec } from "../spec.js";
import { smallMasked } from "./bases.js";

const [B, H, Q, K] = [2, 4, 5, 7];

/** Every numpy broadcast of rank 1 to 4 to [B, H, Q, K]. */
function broadcasts(): (readonly number[])[] {
  const full = [B, H, Q, K];
  const shapes: number[][] = [];
  for (let rank = 1; rank <= 4; rank++) {
    const sizes = full.slice(4 - rank);
    for (let ones = 0; ones < 2 ** rank; ones++) {
      shapes.push(sizes.map((size, axis) => ((ones >> axis) & 1 ? 1 : size)));
    }
  }
  return shapes;
}

const small = smallMasked;

/** Lengths that differ, so that every way of aligning them differs. */
const positions: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["top-left", { queryOffset: 0 }],
  ["bottom-right", { queryOffset: "bottom-right" }],
  ["offset-3", { queryOffset: 3 }],
  ["offset-minus-4", { queryOffset: -4 }],
  ["offset-minus-100", { queryOffset: -100 }],
  ["offset-100", { queryOffset: 100 }],
  ["per-batch", { queryOffset: [-3, 5] }],
];

const lengths: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["short-queries", { queryLength: 6, keyLength: 23 }],
  ["short-keys", { queryLength: 23, keyLength: 6 }],
  ["long", { queryLength: 70, keyLength: 140 }],
];

const rules: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["causal", { causal: true }],
  ["window-left", { window: { left: 3 } }],
  ["window-right", { window: { right: 2 } }],
  ["window", { window: { left: 4, right: 1 } }],
  ["window-0", { window: { left: 0, right: 0 } }],
  ["window-left-0", { window: { left: 0 } }],
  ["window-right-0", { window: { right: 0 } }],
  ["causal-window", { causal: true, window: { left: 5 } }],
  ["causal-window-right", { causal: true, window: { left: 2, right: 9 } }],
  ["alibi", { alibi: true }],
  ["alibi-causal", { alibi: true, causal: true }],
];

const everything: CaseSpec = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  queryLength: 37,
  keyLength: 71,
  headDim: 20,
  valueDim: 12,
  ...Object.assign({}, ...callFeatures.map((feature) => feature.everything)),
  returns: { logSumExp: true, weights: true, scores: "biased" },
};

/** A feature of `everything` with what goes when it is left out. */
const features: readonly (keyof CaseSpec)[] = [
  ...pairedFeatures.map(({ field }) => field),
  "returns",
];

/** Each pair of features alone, and everything less each feature: pairs that meet nowhere hide bugs. */
function pairs(): { id: string; spec: CaseSpec }[] {
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, queryOffset } = everything;
  const base = { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, queryOffset };
  const cases: { id: string; spec: CaseSpec }[] = [];
  for (const [i, a] of features.entries()) {
    for (const b of features.slice(i + 1)) {
      const spec = { ...base, [a]: everything[a], [b]: everything[b] } as CaseSpec;
      cases.push({ id: `masks/pair-${a}-${b}`, spec });
    }
    const { [a]: _, ...rest } = everything;
    cases.push({ id: `masks/everything-but-${a}`, spec: rest as CaseSpec });
  }
  cases.push({ id: "masks/everything", spec: everything });
  return cases;
}

/** Rules that may leave rows empty, where nothing but the output says so. */
const emptyRows: readonly (readonly [name: string, spec: Partial<CaseSpec>])[] = [
  ["mask", { mask: { shape: [Q, K], rows: "empty-rows" } }],
  ["mask-of-heads", { mask: { shape: [B, H, Q, K], rows: "empty-rows" } }],
  ["bias", { bias: { shape: [Q, K], holes: "-inf-rows" } }],
  ["bias-or-lowest", { bias: { shape: [H, Q, K], holes: "finfo-min-and-inf-rows" } }],
  [
    "mask-and-bias",
    {
      mask: { shape: [2, 1, 1, K] },
      bias: { shape: [1, 1, Q, K], holes: "-inf-rows" },
    },
  ],
  ["bias-or-0", { bias: { shape: [H, Q, K], holes: "-inf-or-0" } }],
  ["lowest", { bias: { shape: [Q, K], holes: "finfo-min-rows" } }],
  ["lengths", { kvLengths: [0, K] }],
  ["positions", { causal: true, window: { left: 1 }, queryOffset: [-3, 5] }],
];

/** Every way to hide keys or to weigh them by position. */
export const maskCases: readonly ConformanceCase[] = ofProfile("masks", [
  ...broadcasts().map((shape) => ({
    id: `masks/mask-${shape.join("x")}`,
    spec: { ...small, mask: { shape }, returns: { weights: true } },
  })),
  ...broadcasts().map((shape) => ({
    id: `masks/bias-${shape.join("x")}`,
    spec: { ...small, bias: { shape } },
  })),
  ...rules.flatMap(([rule, spec]) =>
    positions.flatMap(([position, offset]) =>
      lengths
        // The long shape once a rule: the short ones have all the edges.
        .filter(([length]) => length !== "long" || position === "bottom-right")
        .map(([length, size]) => ({
          id: `masks/${rule}-${position}-${length}`,
          spec: {
            batch: 2,
            headDim: 8,
            ...size,
            ...spec,
            ...offset,
            returns: { logSumExp: true },
          } as CaseSpec,
        })),
    ),
  ),
  ...pairs(),
  {
    id: "masks/empty-rows-mask",
    spec: { ...small, mask: { shape: [Q, K], rows: "empty-rows" }, returns: { logSumExp: true } },
  },
  ...emptyRows.flatMap(([name, spec]) => [
    // Some backends compute few rows of heads that share keys otherwise.
    { id: `masks/empty-rows-${name}-output-only`, spec: { ...small, kvHeads: H, ...spec } },
    {
      id: `masks/empty-rows-${name}-weights`,
      spec: { ...small, ...spec, returns: { weights: true } },
    },
  ]),
  {
    id: "masks/empty-rows-mask-sinks",
    spec: {
      ...small,
      mask: { shape: [Q, K], rows: "empty-rows" },
      sinks: true,
      returns: { logSumExp: true, weights: true },
    },
  },
  {
    id: "masks/empty-rows-bias",
    spec: { ...small, bias: { shape: [Q, K], holes: "-inf-rows" }, returns: { logSumExp: true } },
  },
  {
    id: "masks/bias-minus-infinity",
    spec: {
      ...small,
      keyLength: 90,
      bias: { shape: [Q, 90], holes: "-inf" },
      returns: { logSumExp: true, weights: true },
    },
  },
  {
    id: "masks/bias-finfo-min",
    spec: { ...small, keyLength: 90, bias: { shape: [Q, 90], holes: "finfo-min" } },
  },
  {
    id: "masks/sinks",
    spec: { ...small, sinks: true, returns: { logSumExp: true, weights: true } },
  },
  { id: "masks/sinks-minus-infinity", spec: { ...small, sinks: [0, -Infinity, 1, -Infinity] } },
  {
    id: "masks/sinks-large",
    spec: { ...small, sinks: [50, -50, 200, -200], returns: { logSumExp: true } },
  },
  {
    id: "masks/mask-strided",
    spec: { ...small, mask: { shape: [B, H, Q, K] }, stridedMask: true },
  },
  {
    id: "masks/bias-strided",
    spec: { ...small, bias: { shape: [B, H, Q, K] }, stridedMask: true },
  },
  {
    id: "masks/mask-long",
    spec: { ...small, queryLength: 75, keyLength: 150, mask: { shape: [2, 1, 75, 150] } },
  },
  {
    id: "masks/mask-key-padding-long",
    spec: { ...small, queryLength: 75, keyLength: 150, mask: { shape: [2, 1, 1, 150] } },
  },
]);
