import type { Assignment, Factors } from "../../../calls/cover.js";
import type { Factor, Part, Sizes } from "../features/feature.js";
import { features } from "../features/index.js";
import type { CaseSpec } from "../spec.js";

const sizeFactors = {
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

/** Factors that are neither sizes nor features. */
export const otherFactors: Readonly<Record<string, Factor>> = {
  dtype: { float32: {}, float16: { dtype: "float16" }, float64: { dtype: "float64" } },
  layout: {
    bhld: {},
    blhd: { layout: "blhd" },
    bhdl: { layout: "bhdl" },
    packed: { layout: "packed" },
    offset: { layout: "offset" },
  },
  sharing: { apart: {}, shared: { sharedKeyValue: true } },
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

const { outputs, ...beforeFeatures } = otherFactors;

/**
 * Factors of a call and their values by name; the first value of each is the plainest. A factor is
 * anything that a kernel may handle separately, so that a kernel may forget to handle a pair of them.
 */
const tried: Readonly<Record<string, Factor>> = {
  ...sizeFactors,
  ...beforeFeatures,
  ...Object.assign({}, ...features.map((feature) => feature.factors)),
  outputs: outputs as Factor,
};

/** Every factor with its values' names. */
export const factors: Factors = Object.fromEntries(
  Object.entries(tried).map(([factor, values]) => [factor, Object.keys(values)]),
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
  const chosen = (factor: string): Part => tried[factor]?.[assignment[factor] as string] as Part;
  const sizes = Object.assign({}, ...Object.keys(sizeFactors).map(chosen)) as Sizes & CaseSpec;
  const parts = Object.keys(tried).map((factor) => {
    const part = chosen(factor);
    return typeof part === "function" ? part(sizes) : part;
  });
  return Object.assign({}, sizes, ...parts);
}
