import { checkProblem } from "../operation/problem.js";
import { reading } from "../options.js";
import type { AttentionProblem } from "./problem.js";

/**
 * Names of what a problem of attention can have, in the order in which tables show them: its dtype,
 * its shape, its rules, and what it returns. Tables of support, reports and benchmarks use these.
 */
export const attentionFeatureNames = [
  "float32",
  "float16",
  "float64",
  "grouped-query heads",
  "value head size",
  "cross-attention",
  "causal",
  "window",
  "queryOffset",
  "kvLengths",
  "mask",
  "bias",
  "ALiBi",
  "softcap",
  "sinks",
  "logSumExp",
  "weights",
  "scores",
] as const;

/** A name of {@link attentionFeatureNames}. */
export type AttentionFeatureName = (typeof attentionFeatureNames)[number];

/** The features that a problem has, in the order of {@link attentionFeatureNames}. */
export function attentionFeaturesOf(problem: AttentionProblem): AttentionFeatureName[] {
  checkProblem(problem, "attention");
  return reading("problem", () => featuresOf(problem));
}

function featuresOf(p: AttentionProblem): AttentionFeatureName[] {
  const has: Partial<Record<AttentionFeatureName, boolean>> = {
    [p.dtype]: true,
    "grouped-query heads": p.queryHeads !== p.kvHeads,
    "value head size": p.valueDim !== p.headDim,
    "cross-attention": p.queryLength !== p.keyLength,
    causal: p.causal,
    window: p.window !== null,
    queryOffset: p.positions !== "none" && p.positions !== "fixed",
    kvLengths: p.kvLengths,
    mask: p.mask !== null,
    bias: p.bias !== null,
    ALiBi: p.alibi,
    softcap: p.softcap !== null,
    sinks: p.sinks,
    logSumExp: p.returns.logSumExp,
    weights: p.returns.weights,
    scores: p.returns.scores !== null,
  };
  return attentionFeatureNames.filter((name) => has[name]);
}
