import type { Assignment, Factors } from "../../../calls/cover.js";
import type { CaseSpec } from "../spec.js";

/** A call's sizes, for features whose shape follows from them. */
interface Sizes {
  readonly batch: number;
  readonly queryHeads: number;
  readonly queryLength: number;
  readonly keyLength: number;
}

type Feature = Partial<CaseSpec> | ((sizes: Sizes) => Partial<CaseSpec>);

const sizeFeatures = {
  batch: { b1: { batch: 1 }, b3: { batch: 3 } },
  heads: {
    mha: { queryHeads: 2, kvHeads: 2 },
    gqa: { queryHeads: 4, kvHeads: 2 },
    mqa: { queryHeads: 3, kvHeads: 1 },
    one: { queryHeads: 1, kvHeads: 1 },
  },
  lengths: {
    square: { queryLength: 37, keyLength: 37 },
    decode: { queryLength: 1, keyLength: 33 },
    cross: { queryLength: 9, keyLength: 70 },
    tall: { queryLength: 33, keyLength: 5 },
  },
  size: {
    d16: { headDim: 16, valueDim: 16 },
    d64: { headDim: 64, valueDim: 64 },
    d59v24: { headDim: 59, valueDim: 24 },
    d8v40: { headDim: 8, valueDim: 40 },
  },
} as const;

const bias = (shape: (sizes: Sizes) => readonly number[], more: object = {}) => {
  return (sizes: Sizes): Partial<CaseSpec> => ({ bias: { shape: shape(sizes), ...more } });
};
const mask = (shape: (sizes: Sizes) => readonly number[]) => {
  return (sizes: Sizes): Partial<CaseSpec> => ({ mask: { shape: shape(sizes) } });
};

/**
 * What a call can have, by factor and name; the first of each is the plainest. A factor is anything
 * that a kernel may treat apart, so that a pair is something that may be forgotten.
 */
const features: Readonly<Record<string, Readonly<Record<string, Feature>>>> = {
  ...sizeFeatures,
  dtype: { float32: {}, float16: { dtype: "float16" }, float64: { dtype: "float64" } },
  layout: {
    bhld: {},
    blhd: { layout: "blhd" },
    bhdl: { layout: "bhdl" },
    packed: { layout: "packed" },
    offset: { layout: "offset" },
  },
  sharing: { apart: {}, shared: { sharedKeyValue: true } },
  causal: { full: {}, causal: { causal: true } },
  window: {
    unbounded: {},
    left: { window: { left: 6 } },
    right: { window: { right: 3 } },
    both: { window: { left: 4, right: 2 } },
  },
  position: {
    "no-offset": {},
    "bottom-right": { queryOffset: "bottom-right" },
    ahead: { queryOffset: 7 },
    behind: { queryOffset: -3 },
    "per-batch": ({ batch }) => ({ queryOffset: [5, -2, 20].slice(0, batch) }),
  },
  kvLengths: {
    all: {},
    short: ({ batch, keyLength }) => ({
      kvLengths: [keyLength - 2, keyLength, 1].slice(0, batch),
    }),
    zero: ({ batch, keyLength }) => ({ kvLengths: [0, keyLength - 1, 0].slice(0, batch) }),
  },
  hidden: { clean: {}, poisoned: { poison: "NaN" } },
  mask: {
    unmasked: {},
    "mask-k": mask(({ keyLength }) => [keyLength]),
    "mask-qk": mask(({ queryLength, keyLength }) => [queryLength, keyLength]),
    "mask-h1k": mask(({ queryHeads, keyLength }) => [queryHeads, 1, keyLength]),
    "mask-b11k": mask(({ batch, keyLength }) => [batch, 1, 1, keyLength]),
    "mask-b1q1": mask(({ batch, queryLength }) => [batch, 1, queryLength, 1]),
    "mask-bhqk": mask((s) => [s.batch, s.queryHeads, s.queryLength, s.keyLength]),
  },
  bias: {
    unbiased: {},
    "bias-k": bias(({ keyLength }) => [keyLength]),
    "bias-q1": bias(({ queryLength }) => [queryLength, 1]),
    "bias-hqk": bias((s) => [s.queryHeads, s.queryLength, s.keyLength]),
    "bias-b1qk": bias((s) => [s.batch, 1, s.queryLength, s.keyLength], { holes: "-inf" }),
    "bias-bh11-float32": bias((s) => [s.batch, s.queryHeads, 1, 1], { dtype: "float32" }),
    "bias-bhqk": bias((s) => [s.batch, s.queryHeads, s.queryLength, s.keyLength]),
  },
  strides: { "row-major": {}, strided: { stridedMask: true } },
  alibi: { "no-alibi": {}, alibi: { alibi: true } },
  sinks: { "no-sinks": {}, sinks: { sinks: true } },
  softcap: { uncapped: {}, softcap: { softcap: 1.5 } },
  scale: { "scale-1/√d": {}, "scale-0.3": { scale: 0.3 } },
  outputs: {
    output: {},
    lse: { returns: { logSumExp: true } },
    weights: { returns: { weights: true } },
    raw: { returns: { scores: "raw" } },
    capped: { returns: { scores: "capped" } },
    biased: { returns: { scores: "biased" } },
    all: { returns: { logSumExp: true, weights: true, scores: "raw" } },
  },
};

/** Every factor with its values' names. */
export const factors: Factors = Object.fromEntries(
  Object.entries(features).map(([factor, values]) => [factor, Object.keys(values)]),
);

/** The dtypes that some backends refuse. */
export const otherDTypes = ["float16", "float64"] as const;

/** Whether some features can be in one call. */
export function compatible(a: Assignment): boolean {
  const needsPositions =
    a.causal === "causal" || a.alibi === "alibi" || (a.window ?? "unbounded") !== "unbounded";
  const lengthsDiffer = (a.lengths ?? "square") !== "square" || (a.kvLengths ?? "all") !== "all";
  const sizesDiffer = a.size === "d59v24" || a.size === "d8v40";
  const scores = ["raw", "capped", "biased", "all"].includes(a.outputs ?? "");
  return !(
    // Without an offset, such a call is an error.
    (a.position === "no-offset" && needsPositions && lengthsDiffer) ||
    (a.layout === "packed" &&
      ((a.lengths ?? "square") !== "square" || sizesDiffer || a.sharing === "shared")) ||
    (a.sharing === "shared" && sizesDiffer) ||
    // Scores are wanted of keys that causal and window hide: those may not be poisoned.
    (a.hidden === "poisoned" && scores)
  );
}

/** The call with these features. */
export function specOf(assignment: Assignment): CaseSpec {
  const chosen = (factor: string): Feature =>
    features[factor]?.[assignment[factor] as string] as Feature;
  const sizes = Object.assign({}, ...Object.keys(sizeFeatures).map(chosen)) as Sizes & CaseSpec;
  const parts = Object.keys(features).map((factor) => {
    const feature = chosen(factor);
    return typeof feature === "function" ? feature(sizes) : feature;
  });
  return Object.assign({}, sizes, ...parts);
}

/** Says what is not plain about a call; the same features give the same name. */
export function nameOf(assignment: Assignment): string {
  const names = Object.entries(factors)
    .filter(([factor, [plainest]]) => assignment[factor] !== plainest)
    .map(([factor]) => assignment[factor])
    .join("_");
  return names || "plain";
}
