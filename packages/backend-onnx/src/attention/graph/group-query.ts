import { statisticsDType } from "@heed/core";
import { GraphBuilder, type Value } from "../../model/builder.js";
import type { ModelGraph } from "../../model/model.js";
import { leakSign, returnLeakSum } from "./guard.js";
import { mainInputs } from "./inputs.js";
import type { Arithmetic, GraphSpec } from "./spec.js";

/** Version of ONNX's own operators around the node. */
const opset = 18;

/** The first in which DequantizeLinear has scales of blocks. */
const opsetOfBlocks = 21;

/** Swaps heads and length. */
const perm: readonly number[] = [0, 2, 1, 3];

/**
 * Attention as the operator GroupQueryAttention of onnxruntime's own: rows along the diagonal, and a
 * window of keys before each. It takes all three as `[B, L, H·D]`, and an empty cache: it works in tiles
 * only where it is to give back a cache, though nobody reads that.
 */
export function groupQueryGraph(spec: GraphSpec, arithmetic: Arithmetic): ModelGraph {
  const g = new GraphBuilder(spec.storage?.dtype === "int8" ? opsetOfBlocks : opset);
  const { dtype, queryHeads, kvHeads, headDim, logits, band } = spec;
  const compute = statisticsDType(dtype);
  const {
    query,
    key: [key],
    value: [value],
  } = mainInputs(g, spec, compute);
  const noKeys = g.input("noKeys", compute, ["batch", kvHeads, 0, headDim]);
  const sinks = spec.sinks && g.input("sinks", compute, [1, queryHeads, 1, 1]);
  const keys = band?.diagonal?.keys ?? null;
  const [attended] = g.node(
    "GroupQueryAttention",
    [
      packed(g, query, queryHeads * headDim),
      packed(g, key, kvHeads * headDim),
      packed(g, value, kvHeads * headDim),
      noKeys,
      noKeys,
      g.input("lastKeyOfBatch", "int32", ["batch"]),
      g.input("keyCount", "int32", []),
      // Inputs for rotary embeddings and a bias are left out.
      ...(sinks ? ["", "", "", "", g.reshape(sinks, queryHeads)] : []),
    ],
    ["output", "presentKey", "presentValue"],
    {
      num_heads: queryHeads,
      kv_num_heads: kvHeads,
      scale: { float: logits.scale },
      ...(keys !== null && { local_window_size: keys }),
    },
    "com.microsoft",
  );
  if (leakSign("group-query", spec, arithmetic) !== null) returnLeakSum(g, attended, compute);
  const heads = g.op("Transpose", [g.reshape(attended, 0, 0, queryHeads, headDim)], { perm });
  const output = g.cast(heads, compute, dtype);
  g.output("output", output, dtype, ["batch", queryHeads, "queryLength", headDim]);
  return g.build();
}

/** `[B, H, L, D]` as `[B, L, H·D]`. */
function packed(g: GraphBuilder, heads: Value, size: number): Value {
  return g.reshape(g.op("Transpose", [heads], { perm }), 0, 0, size);
}
