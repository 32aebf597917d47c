import { encodeModel, GraphBuilder, type ModelGraph, type Value } from "@heed/backend-onnx/model";
import type { AttentionFeatureName, AttentionProblem } from "@heed/core";
import { hidingBiasShape } from "../hiding-bias.js";
import { fusedGraph } from "./fused.js";

/** How attention is written as a model, beside the operator Attention. */
export type GraphKind = "fused" | "matmul";

/** Features of the graph that is not fused. */
export const matmulFeatures: readonly AttentionFeatureName[] = [
  "causal",
  "kvLengths",
  "value head size",
];

/** {@link attentionGraph} in ONNX's file format. */
export function attentionModel(kind: GraphKind, problem: AttentionProblem): Uint8Array {
  return encodeModel(attentionGraph(kind, problem));
}

/**
 * The graph of a problem. Unless it is fused, its inputs are `query`, `key`, `value` and, where the problem
 * hides keys, `bias` (0 or −∞); its output is `output`.
 */
export function attentionGraph(kind: GraphKind, problem: AttentionProblem): ModelGraph {
  return kind === "fused" ? fusedGraph(problem) : matmulGraph(problem);
}

/**
 * MatMul, Softmax, MatMul. The query heads of a group are stacked along the rows, so that grouped
 * keys and values are neither repeated nor broadcast: `[B, Hkv, G·Lq, D]`.
 */
function matmulGraph(p: AttentionProblem): ModelGraph {
  const g = new GraphBuilder(17);
  const [query, key, value] = tensors(g, p);
  const group = p.queryHeads / p.kvHeads;
  const stackedRows = group * p.queryLength;
  const stacked = g.reshape(query, p.batch, p.kvHeads, stackedRows, p.headDim);
  const scaled = g.op("Mul", [stacked, g.scalar("float32", p.scale)]);
  let logits = g.op("MatMul", [scaled, g.op("Transpose", [key], { perm: [0, 1, 3, 2] })]);
  if (p.causal || p.kvLengths) {
    // A bias varies by query, so rows of different heads are told apart while it is added.
    const perHead = g.reshape(logits, p.batch, p.kvHeads, group, p.queryLength, p.keyLength);
    const biased = g.op("Add", [perHead, g.input("bias", "float32", biasShape(p))]);
    logits = g.reshape(biased, p.batch, p.kvHeads, stackedRows, p.keyLength);
  }
  const output = g.op("MatMul", [g.op("Softmax", [logits], { axis: -1 }), value]);
  return withOutput(g, p, g.reshape(output, p.batch, p.queryHeads, p.queryLength, p.valueDim));
}

/** `[B or 1, 1, 1, Lq or 1, Lk]`: the hiding bias with the heads split into key heads and groups. */
function biasShape(p: AttentionProblem): number[] {
  const [batches, , rows, keys] = hidingBiasShape(p);
  return [batches, 1, 1, rows, keys];
}

function tensors(g: GraphBuilder, p: AttentionProblem): [query: Value, key: Value, value: Value] {
  return [
    g.input("query", "float32", [p.batch, p.queryHeads, p.queryLength, p.headDim]),
    g.input("key", "float32", [p.batch, p.kvHeads, p.keyLength, p.headDim]),
    g.input("value", "float32", [p.batch, p.kvHeads, p.keyLength, p.valueDim]),
  ];
}

function withOutput(g: GraphBuilder, p: AttentionProblem, output: Value): ModelGraph {
  g.output("output", output, "float32", [p.batch, p.queryHeads, p.queryLength, p.valueDim]);
  return g.build();
}
