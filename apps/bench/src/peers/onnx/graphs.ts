import type { AttentionProblem } from "@heed/core";
import { hidingBiasShape } from "../hiding-bias.js";
import { fusedGraph } from "./fused.js";
import type { ModelGraph, ModelNode, ModelValue } from "./model.js";

/** How attention is written as a model. */
export type GraphKind = "attention" | "fused" | "matmul";

/**
 * The graph of a problem. Unless it is fused, its inputs are `query`, `key`, `value` and, where the problem hides keys in
 * a way that the graph must be told of, `mask` (bool) or `bias` (0 or −∞); its output is `output`.
 */
export function attentionGraph(kind: GraphKind, problem: AttentionProblem): ModelGraph {
  switch (kind) {
    case "attention":
      return operatorGraph(problem);
    case "fused":
      return fusedGraph(problem);
    case "matmul":
      return matmulGraph(problem);
  }
}

/** The operator Attention of opset 23, 4-D: it knows grouped queries, causal and masks by itself. */
function operatorGraph(p: AttentionProblem): ModelGraph {
  const mask: ModelValue[] = p.kvLengths
    ? [{ name: "mask", type: "bool", shape: [p.batch, 1, p.queryLength, p.keyLength] }]
    : [];
  return {
    opset: 23,
    nodes: [
      {
        op: "Attention",
        inputs: ["query", "key", "value", ...mask.map(({ name }) => name)],
        output: "output",
        ints: { is_causal: p.causal ? 1 : 0 },
        floats: { scale: p.scale },
      },
    ],
    inputs: [...tensors(p), ...mask],
    output: outputOf(p),
    shapes: {},
    scalars: {},
  };
}

/**
 * MatMul, Softmax, MatMul. The query heads of a group are stacked along the rows, so that grouped
 * keys and values are neither repeated nor broadcast: `[B, Hkv, G·Lq, D]`.
 */
function matmulGraph(p: AttentionProblem): ModelGraph {
  const group = p.queryHeads / p.kvHeads;
  const stackedRows = group * p.queryLength;
  const hidden = p.causal || p.kvLengths;
  const bias: ModelValue[] = hidden ? [{ name: "bias", type: "float32", shape: biasShape(p) }] : [];
  const reshape = (from: string, shape: string, output: string): ModelNode => ({
    op: "Reshape",
    inputs: [from, shape],
    output,
  });
  // A bias varies by query, so rows of different heads are told apart while it is added.
  const addBias: ModelNode[] = [
    reshape("logits", "perHead", "logitsPerHead"),
    { op: "Add", inputs: ["logitsPerHead", "bias"], output: "biased" },
    reshape("biased", "stackedLogits", "visible"),
  ];
  return {
    opset: 17,
    nodes: [
      reshape("query", "stackedQuery", "stacked"),
      { op: "Mul", inputs: ["stacked", "scale"], output: "scaled" },
      { op: "Transpose", inputs: ["key"], output: "keyT", lists: { perm: [0, 1, 3, 2] } },
      { op: "MatMul", inputs: ["scaled", "keyT"], output: "logits" },
      ...(hidden ? addBias : []),
      {
        op: "Softmax",
        inputs: [hidden ? "visible" : "logits"],
        output: "weights",
        ints: { axis: -1 },
      },
      { op: "MatMul", inputs: ["weights", "value"], output: "stackedOutput" },
      reshape("stackedOutput", "outputShape", "output"),
    ],
    inputs: [...tensors(p), ...bias],
    output: outputOf(p),
    shapes: {
      stackedQuery: [p.batch, p.kvHeads, stackedRows, p.headDim],
      outputShape: [p.batch, p.queryHeads, p.queryLength, p.valueDim],
      ...(hidden && {
        perHead: [p.batch, p.kvHeads, group, p.queryLength, p.keyLength],
        stackedLogits: [p.batch, p.kvHeads, stackedRows, p.keyLength],
      }),
    },
    scalars: { scale: p.scale },
  };
}

/** `[B or 1, 1, 1, Lq or 1, Lk]`: the hiding bias with the heads split into key heads and groups. */
function biasShape(p: AttentionProblem): number[] {
  const [batches, , rows, keys] = hidingBiasShape(p);
  return [batches, 1, 1, rows, keys];
}

function tensors(p: AttentionProblem): ModelValue[] {
  return [
    { name: "query", type: "float32", shape: [p.batch, p.queryHeads, p.queryLength, p.headDim] },
    { name: "key", type: "float32", shape: [p.batch, p.kvHeads, p.keyLength, p.headDim] },
    { name: "value", type: "float32", shape: [p.batch, p.kvHeads, p.keyLength, p.valueDim] },
  ];
}

function outputOf(p: AttentionProblem): ModelValue {
  const shape = [p.batch, p.queryHeads, p.queryLength, p.valueDim];
  return { name: "output", type: "float32", shape };
}
