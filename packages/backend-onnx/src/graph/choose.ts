import type { ProviderTraits } from "../traits.js";
import type { GraphSpec } from "./spec.js";

/**
 * How attention is written: from plain operators, as one node of the operator Attention, or of
 * onnxruntime's own GroupQueryAttention.
 */
export type GraphKind = "plain" | "attention" | "group-query";

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
  const { groupQueryFrom } = traits;
  const fewRows = spec.queryHeads !== spec.kvHeads && queryLength < rowsForGroups;
  // Where it can, the operator: it adds its mask while it multiplies, and starts three nodes fewer.
  const otherwise = traits.attention && attentionSays(spec) && !fewRows ? "attention" : "plain";
  // Narrow heads have less to save of what the layout costs.
  const rows = queryLength * Math.min(1, spec.headDim / 64);
  if (groupQueryFrom !== null && rows >= groupQueryFrom[otherwise] && groupQuerySays(spec)) {
    return "group-query";
  }
  return otherwise;
}

/** Whether the operator Attention can say a spec, as onnxruntime 1.30's CPU code has it. */
function attentionSays(spec: GraphSpec): boolean {
  return operatorSays(spec) && spec.softcap === null && !spec.sinks && spec.chunks === null;
}

/** The normal numbers of float32. */
const [smallestScale, largestScale] = [2 ** -126, 3.4028234663852886e38];

/** Heads whose square a signed 32-bit integer holds: with more, the operator Attention gives other numbers. */
const mostHeads = 46340;

/** Whether a spec has nothing that neither operator can say. */
function operatorSays(spec: GraphSpec): boolean {
  const { alibi, logSumExp, weights, scores, scale, dtype, guard, queryHeads } = spec;
  // Without inputs or outputs for them; and they hide as −∞ does, which NaN outlives.
  if (alibi || logSumExp || weights || scores || guard !== "none") return false;
  // They have kernels for float32 (and float16, which is widened here), and take scale 0 for none given.
  // The scale is a float32 attribute, of which they take the square root.
  if (!(scale >= smallestScale && scale <= largestScale) || dtype === "float64") return false;
  return queryHeads <= mostHeads;
}

/** Whether GroupQueryAttention can, and in tiles: rows along the diagonal, with sinks if need be. */
function groupQuerySays(spec: GraphSpec): boolean {
  const { band, mask, bias, softcap, headDim, valueDim } = spec;
  if (!band?.diagonal || mask || bias || softcap !== null || !operatorSays(spec)) return false;
  // What it asks of head sizes, because other providers' kernels do.
  return headDim === valueDim && headDim % 8 === 0;
}

const kernels: Readonly<Record<GraphKind, string>> = {
  plain: "MatMul, Softmax, MatMul",
  attention: "Attention",
  "group-query": "GroupQueryAttention",
};

/** The name that plans tell, e.g. `"wasm Attention"`. */
export function kernelName(kind: GraphKind, { provider }: ProviderTraits): string {
  return `${provider} ${kernels[kind]}`;
}
