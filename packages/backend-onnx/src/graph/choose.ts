import type { ProviderTraits } from "../traits.js";
import type { GraphSpec } from "./spec.js";

/** How attention is written: from plain operators, or as one node of the operator Attention. */
export type GraphKind = "plain" | "attention";

/**
 * The graph that computes a spec on a provider: rightly, and of those that do, the fastest measured.
 * Pure: the same spec and traits give the same choice everywhere.
 */
export function chooseGraph(spec: GraphSpec, traits: ProviderTraits): GraphKind {
  // It adds its mask while it multiplies, a pass over the logits less; without one it has no lead.
  return traits.attention && added(spec) && attentionSays(spec) ? "attention" : "plain";
}

/** Whether the operator Attention can say a spec, as onnxruntime 1.30's CPU code has it. */
function attentionSays(spec: GraphSpec): boolean {
  const { alibi, sinks, logSumExp, weights, scores, softcap, scale, dtype, guard } = spec;
  const { mask, bias, band } = spec;
  // Without inputs or outputs for them; and it adds −∞ to hide, which NaN outlives.
  if (alibi || sinks || logSumExp || weights || scores || guard !== "none") return false;
  // It has kernels for float32 (and float16, which is widened here), and takes scale 0 for none given.
  if (softcap !== null || scale <= 0 || dtype === "float64") return false;
  // Its mask has to have all rows and keys.
  const axes = [mask, bias?.axes ?? null, band && ([true, false, band.perRow, true] as const)];
  return [2, 3].every((axis) => axes.some((input) => input?.[axis]));
}

/** Whether anything hides keys or is added to logits: all of it is the operator's mask. */
function added({ band, mask, bias }: GraphSpec): boolean {
  return band !== null || mask !== null || bias !== null;
}

/** The name that plans tell, e.g. `"wasm Attention"`. */
export function kernelName(kind: GraphKind, { provider }: ProviderTraits): string {
  return `${provider} ${kind === "plain" ? "MatMul, Softmax, MatMul" : "Attention"}`;
}
