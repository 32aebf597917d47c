import type { ProviderTraits } from "../traits.js";
import type { GraphSpec } from "./spec.js";

/** How attention is written: from plain operators, or as one node of the operator Attention. */
export type GraphKind = "plain" | "attention";

/**
 * Query rows from which on the operator Attention is as fast for grouped heads: it multiplies each
 * head by itself, where plain operators stack a group's rows and read its keys once.
 */
const rowsForGroups = 16;

/**
 * The graph that computes a spec on a provider: rightly, and of those that do, the fastest measured.
 * Pure: the same arguments give the same choice everywhere.
 */
export function chooseGraph(
  spec: GraphSpec,
  traits: ProviderTraits,
  queryLength: number,
): GraphKind {
  if (!traits.attention || !attentionSays(spec)) return "plain";
  // It adds its mask while it multiplies, and starts three nodes fewer.
  const grouped = spec.queryHeads !== spec.kvHeads;
  return grouped && queryLength < rowsForGroups ? "plain" : "attention";
}

/** Whether the operator Attention can say a spec, as onnxruntime 1.30's CPU code has it. */
function attentionSays(spec: GraphSpec): boolean {
  const { alibi, sinks, logSumExp, weights, scores, softcap, scale, dtype, guard } = spec;
  // Without inputs or outputs for them; and it adds −∞ to hide, which NaN outlives.
  if (alibi || sinks || logSumExp || weights || scores || guard !== "none") return false;
  // It has kernels for float32 (and float16, which is widened here), and takes scale 0 for none given.
  return softcap === null && scale > 0 && dtype !== "float64";
}

/** The name that plans tell, e.g. `"wasm Attention"`. */
export function kernelName(kind: GraphKind, { provider }: ProviderTraits): string {
  return `${provider} ${kind === "plain" ? "MatMul, Softmax, MatMul" : "Attention"}`;
}
