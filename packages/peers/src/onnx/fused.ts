import { GraphBuilder, type ModelGraph } from "@heed/backend-onnx/model";
import type { AttentionFeatureName, AttentionProblem, SupportReason } from "@heed/core";

/** Operators of com.microsoft that express attention. */
export type FusedOperator = "MultiHeadAttention" | "GroupQueryAttention";

/** Features that the one or the other operator has, though not with every other feature. */
export const fusedFeatures: readonly AttentionFeatureName[] = [
  "causal",
  "window",
  "kvLengths",
  "softcap",
  "value head size",
];

/** The operator for a problem: GroupQueryAttention only for grouped heads, windows and soft caps. */
export function fusedOperator(p: AttentionProblem): FusedOperator {
  const grouped = p.kvHeads !== p.queryHeads || p.window !== null || p.softcap !== null;
  return grouped ? "GroupQueryAttention" : "MultiHeadAttention";
}

/** Reasons why the operator cannot express a problem, in addition to a peer's limits. */
export function fusedReasons(p: AttentionProblem): SupportReason[] {
  if (fusedOperator(p) === "MultiHeadAttention") return [];
  const reasons: SupportReason[] = [];
  const no = (code: string, what: string) =>
    reasons.push({ code, message: `GroupQueryAttention has no ${what}` });
  if (!p.causal && p.queryLength > 1) no("causal", "way to leave causal out");
  if (p.kvLengths) no("kvLengths", "lengths apart from its cache");
  if (p.valueDim !== p.headDim) no("value head size", "value size of its own");
  if (p.window && (p.window.left === null || (p.window.right ?? 0) < 0))
    no("window", "such window");
  return reasons;
}

/** The graph of a problem; inputs as `feedsOf` gives them. */
export function fusedGraph(p: AttentionProblem): ModelGraph {
  return fusedOperator(p) === "MultiHeadAttention" ? multiHead(p) : groupQuery(p);
}

/** `[B, L, H·D]`, as these operators want queries, keys and values. */
function packed(
  { batch }: AttentionProblem,
  length: number,
  heads: number,
  dim: number,
): readonly number[] {
  return [batch, length, heads * dim];
}

function multiHead(p: AttentionProblem): ModelGraph {
  const { batch, queryHeads, queryLength, keyLength, headDim, valueDim } = p;
  const g = new GraphBuilder(17);
  const attended = g.op(
    "MultiHeadAttention",
    [
      g.input("query", "float32", packed(p, queryLength, queryHeads, headDim)),
      g.input("key", "float32", packed(p, keyLength, queryHeads, headDim)),
      g.input("value", "float32", packed(p, keyLength, queryHeads, valueDim)),
      // The fourth is a bias of the projections.
      ...(p.kvLengths ? ["", g.input("mask", "int32", [batch, keyLength])] : []),
    ],
    { num_heads: queryHeads, unidirectional: p.causal ? 1 : 0, scale: { float: p.scale } },
    "com.microsoft",
  );
  g.output("output", attended, "float32", packed(p, queryLength, queryHeads, valueDim));
  return g.build();
}

/**
 * The keys of the queries themselves are new; those before them are the cache, which the operator
 * gives back with the new ones behind.
 */
function groupQuery(p: AttentionProblem): ModelGraph {
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim } = p;
  const g = new GraphBuilder(17);
  const past = [batch, kvHeads, keyLength - queryLength, headDim];
  const [attended, presentKey, presentValue] = g.node(
    "GroupQueryAttention",
    [
      g.input("query", "float32", packed(p, queryLength, queryHeads, headDim)),
      g.input("key", "float32", packed(p, queryLength, kvHeads, headDim)),
      g.input("value", "float32", packed(p, queryLength, kvHeads, headDim)),
      g.input("pastKey", "float32", past),
      g.input("pastValue", "float32", past),
      g.input("lastKey", "int32", [batch]),
      g.input("total", "int32", []),
    ],
    ["output", "presentKey", "presentValue"],
    {
      num_heads: queryHeads,
      kv_num_heads: kvHeads,
      ...(p.window && { local_window_size: (p.window.left ?? 0) + 1 }),
      scale: { float: p.scale },
      ...(p.softcap !== null && { softcap: { float: p.softcap } }),
    },
    "com.microsoft",
  );
  g.output("output", attended, "float32", packed(p, queryLength, queryHeads, headDim));
  // Left open, as onnxruntime-web 1.30 infers the cache's length without the new keys.
  const present = [batch, kvHeads, "present", headDim];
  g.output("presentKey", presentKey, "float32", present);
  g.output("presentValue", presentValue, "float32", present);
  return g.build();
}
