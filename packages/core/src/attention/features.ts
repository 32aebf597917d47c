import type { SupportReason } from "../errors.js";
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
  "float16 keys and values",
  "int8 keys and values",
  "pages",
  "ragged batch",
  "query positions",
  "key positions",
  "mask",
  "mask program",
  "block mask",
  "bias",
  "ALiBi",
  "score program",
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
    queryOffset: p.positions === "bottom-right" || p.positions === "per-batch",
    kvLengths: p.kvLengths,
    "float16 keys and values": p.kvDtype === "float16" && p.dtype !== "float16",
    "int8 keys and values": p.kvDtype === "int8",
    pages: p.pages !== null,
    "ragged batch": p.ragged !== null,
    "query positions": p.queryPositions !== null,
    "key positions": p.keyPositions !== null,
    mask: p.mask !== null,
    "mask program": p.maskMod !== null,
    "block mask": p.blockMask !== null,
    bias: p.bias !== null,
    ALiBi: p.alibi,
    "score program": p.scoreMod !== null,
    softcap: p.softcap !== null,
    sinks: p.sinks,
    logSumExp: p.returns.logSumExp,
    weights: p.returns.weights,
    scores: p.returns.scores !== null,
  };
  return attentionFeatureNames.filter((name) => has[name]);
}

/**
 * The reasons for which a backend refuses a problem that has a feature it does not compute, one for
 * each feature in the order given; empty if the problem has none of them.
 *
 * @param lacked features that the backend does not compute
 */
export function refuseFeatures(
  problem: AttentionProblem,
  lacked: readonly AttentionFeatureName[],
): SupportReason[] {
  const has = attentionFeaturesOf(problem);
  return lacked
    .filter((name) => has.includes(name))
    .map((name) => ({ code: "feature", message: `the feature "${name}" is not supported` }));
}
