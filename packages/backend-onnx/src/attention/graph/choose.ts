import type { ProviderTraits } from "../../runtime/traits.js";
import { areScaledOnly } from "./logits.js";
import { hasMasks } from "./programs.js";
import { type GraphSpec, isGrouped } from "./spec.js";

/**
 * How attention is written: `"plain"`, from MatMul, Softmax and MatMul; `"operator"`, as one node of ONNX's
 * operator Attention; `"group-query"`, as one node of onnxruntime's own GroupQueryAttention.
 */
export type GraphKind = "plain" | "operator" | "group-query";

/** Lengths of the call that a graph is chosen for; the graph itself serves all. */
export interface Lengths {
  readonly queryLength: number;
  readonly keyLength: number;
}

/**
 * Number of query rows from which the operator Attention is as fast for grouped heads: it processes heads one
 * at a time, while plain operators stack the rows of a group and read its keys once.
 */
const rowsForGroups = 16;

/**
 * The graph that computes a spec on a provider: rightly, and of those that do, the fastest measured.
 * Pure: the same arguments give the same choice everywhere.
 */
export function chooseGraph(spec: GraphSpec, traits: ProviderTraits, lengths: Lengths): GraphKind {
  const { queryLength } = lengths;
  const { groupQueryFrom } = traits;
  if (spec.storage && (spec.storage.scalesRows || spec.storage.parts > 1 || spec.storage.pool)) {
    return "plain";
  }
  const fewRows = isGrouped(spec) && queryLength < rowsForGroups;
  // The operator is preferred: it adds its mask while it multiplies, and starts three nodes fewer.
  const says = traits.attention && attentionSays(spec) && countsOperations(spec, traits, lengths);
  const otherwise = says && !fewRows ? "operator" : "plain";
  // Narrow heads have less to save of what the layout costs.
  const rows = queryLength * Math.min(1, spec.headDim / 64);
  if (groupQueryFrom !== null && rows >= groupQueryFrom[otherwise] && groupQuerySays(spec)) {
    return "group-query";
  }
  return otherwise;
}

/**
 * Whether the operator Attention can count the operations of a head's product, 2 · size · queries · keys: it does so in
 * integers, and fails where they overflow.
 */
function countsOperations(
  { headDim, valueDim }: GraphSpec,
  { largestSize }: ProviderTraits,
  { queryLength, keyLength }: Lengths,
): boolean {
  if (largestSize === null) return true;
  return 2 * Math.max(headDim, valueDim) * queryLength * keyLength <= largestSize;
}

/** Whether the operator Attention can say a spec, as onnxruntime 1.30's CPU code has it. */
function attentionSays(spec: GraphSpec): boolean {
  if (spec.sinks || spec.chunks !== null || spec.programs?.score) return false;
  return operatorSays(spec) && areScaledOnly(spec.logits);
}

/** The normal numbers of float32. */
const [smallestScale, largestScale] = [2 ** -126, 3.4028234663852886e38];

/** Heads whose square a signed 32-bit integer holds: with more, the operator Attention gives other numbers. */
const mostHeads = 46340;

/** Whether a spec has nothing that neither operator can say. */
function operatorSays(spec: GraphSpec): boolean {
  const { alibi, logSumExp, weights, scores, logits, dtype, guard, queryHeads } = spec;
  // The operators have no inputs or outputs for these, and hide keys by adding −∞, which NaN survives.
  if (alibi || logSumExp || weights || scores || guard !== "none") return false;
  // They have kernels for float32 (and float16, which is widened here), and take scale 0 for none given.
  // The scale is a float32 attribute, of which they take the square root.
  const { scale } = logits;
  if (!(scale >= smallestScale && scale <= largestScale) || dtype === "float64") return false;
  return queryHeads <= mostHeads;
}

/** Whether GroupQueryAttention can say a spec and work in tiles: rows along the diagonal, with or without sinks. */
function groupQuerySays(spec: GraphSpec): boolean {
  const { band, bias, programs, logits, headDim, valueDim } = spec;
  if (!band?.diagonal || hasMasks(spec) || bias || programs?.score) return false;
  if (!areScaledOnly(logits) || !operatorSays(spec)) return false;
  // The operator asks this of head sizes because other providers' kernels do.
  return headDim === valueDim && headDim % 8 === 0;
}
