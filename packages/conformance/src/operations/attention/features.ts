import type { AttentionProblem } from "@heed/core";

/** Features by the names that the table of support shows. */
export const featureNames = [
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
  "ONNX Attention",
] as const;

export type FeatureName = (typeof featureNames)[number];

/** What a problem has. */
export function featuresOf(p: AttentionProblem): FeatureName[] {
  const has: Partial<Record<FeatureName, boolean>> = {
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
  return featureNames.filter((name) => has[name]);
}
