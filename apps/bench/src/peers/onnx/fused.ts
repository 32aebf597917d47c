import type { AttentionProblem, SupportReason } from "@heed/core";
import type { ModelGraph, ModelValue } from "./model.js";

/** The operator of com.microsoft that a problem is written with. */
export type FusedOperator = "MultiHeadAttention" | "GroupQueryAttention";

/** Grouped heads, and what only the one knows, take the one; everything else the other. */
export function fusedOperator(p: AttentionProblem): FusedOperator {
  const grouped = p.kvHeads !== p.queryHeads || p.window !== null || p.softcap !== null;
  return grouped ? "GroupQueryAttention" : "MultiHeadAttention";
}

/** What these operators cannot be told, beside what a peer's limits say. */
export function fusedReasons(p: AttentionProblem): SupportReason[] {
  if (fusedOperator(p) === "MultiHeadAttention") return [];
  const reasons: SupportReason[] = [];
  const no = (code: string, what: string) =>
    reasons.push({ code, message: `GroupQueryAttention has no ${what}` });
  if (!p.causal && p.queryLength > 1) no("causal", "way to leave causal out");
  if (p.kvLengths) no("kvLengths", "lengths apart from its cache");
  if (p.valueDim !== p.headDim) no("valueDim", "value size of its own");
  if (p.window && (p.window.left === null || (p.window.right ?? 0) < 0))
    no("window", "such window");
  return reasons;
}

/** The graph of a problem; inputs as in `placeFused`. */
export function fusedGraph(p: AttentionProblem): ModelGraph {
  return fusedOperator(p) === "MultiHeadAttention" ? multiHead(p) : groupQuery(p);
}

/** `[B, L, H·D]`, as these operators want queries, keys and values. */
function packed(
  name: string,
  length: number,
  heads: number,
  dim: number,
  batch: number,
): ModelValue {
  return { name, type: "float32", shape: [batch, length, heads * dim] };
}

function multiHead(p: AttentionProblem): ModelGraph {
  const { batch, queryHeads, queryLength, keyLength, headDim, valueDim } = p;
  const mask: ModelValue[] = p.kvLengths
    ? [{ name: "mask", type: "int32", shape: [batch, keyLength] }]
    : [];
  return {
    opset: 17,
    nodes: [
      {
        op: "MultiHeadAttention",
        domain: "com.microsoft",
        // The fourth is a bias of the projections.
        inputs: ["query", "key", "value", ...(p.kvLengths ? ["", "mask"] : [])],
        output: "output",
        ints: { num_heads: queryHeads, unidirectional: p.causal ? 1 : 0 },
        floats: { scale: p.scale },
      },
    ],
    inputs: [
      packed("query", queryLength, queryHeads, headDim, batch),
      packed("key", keyLength, queryHeads, headDim, batch),
      packed("value", keyLength, queryHeads, valueDim, batch),
      ...mask,
    ],
    output: packed("output", queryLength, queryHeads, valueDim, batch),
    shapes: {},
    scalars: {},
  };
}

/**
 * The keys of the queries themselves are new; those before them are the cache, which the operator
 * gives back with the new ones behind.
 */
function groupQuery(p: AttentionProblem): ModelGraph {
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim } = p;
  const past = keyLength - queryLength;
  const cache = (name: string, length: number | string): ModelValue => ({
    name,
    type: "float32",
    shape: [batch, kvHeads, length, headDim],
  });
  return {
    opset: 17,
    nodes: [
      {
        op: "GroupQueryAttention",
        domain: "com.microsoft",
        inputs: ["query", "key", "value", "pastKey", "pastValue", "lastKey", "total"],
        output: "output",
        moreOutputs: ["presentKey", "presentValue"],
        ints: {
          num_heads: queryHeads,
          kv_num_heads: kvHeads,
          ...(p.window && { local_window_size: (p.window.left ?? 0) + 1 }),
        },
        floats: { scale: p.scale, ...(p.softcap !== null && { softcap: p.softcap }) },
      },
    ],
    inputs: [
      packed("query", queryLength, queryHeads, headDim, batch),
      packed("key", queryLength, kvHeads, headDim, batch),
      packed("value", queryLength, kvHeads, headDim, batch),
      cache("pastKey", past),
      cache("pastValue", past),
      { name: "lastKey", type: "int32", shape: [batch] },
      { name: "total", type: "int32", shape: [] },
    ],
    output: packed("output", queryLength, queryHeads, headDim, batch),
    // Left open, as onnxruntime-web 1.30 infers the cache's length without the new keys.
    moreOutputs: [cache("presentKey", "present"), cache("presentValue", "present")],
    shapes: {},
    scalars: {},
  };
}
