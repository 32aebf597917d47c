import { GraphBuilder, type ModelGraph } from "@heed/backend-onnx/model";
import type { AttentionProblem } from "@heed/core";
import { fusedOperator } from "./fused.js";

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
