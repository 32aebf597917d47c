import {
  type AttentionInputs,
  type AttentionProblem,
  contiguous,
  type HostTensor,
  type SupportReason,
  slice,
  splitHeads,
  tensor,
  transpose,
} from "@heed/core";
import type { ModelGraph, ModelValue } from "./model.js";

/**
 * onnxruntime's own operators, which its WebGPU provider has fused kernels for: MultiHeadAttention,
 * and GroupQueryAttention for a query a sequence, with all keys but the last as its cache.
 */
export function fusedGraph(p: AttentionProblem): ModelGraph {
  return p.queryHeads === p.kvHeads ? multiHead(p) : groupQuery(p);
}

/** Why the operators cannot say a problem, beside what no graph here can. */
export function fusedReasons(p: AttentionProblem): SupportReason[] {
  const reasons: SupportReason[] = [];
  if (p.queryHeads !== p.kvHeads && (p.queryLength !== 1 || p.keyLength < 2)) {
    const message = "GroupQueryAttention is driven with one query a sequence here";
    reasons.push({ code: "queryLength", message });
  }
  if (p.batch * p.queryHeads * p.queryLength * p.keyLength === 0) {
    reasons.push({ code: "empty", message: "nothing to compute" });
  }
  return reasons;
}

function multiHead(p: AttentionProblem): ModelGraph {
  return {
    opset: 17,
    nodes: [
      {
        op: "MultiHeadAttention",
        domain: "com.microsoft",
        inputs: ["query", "key", "value"],
        output: "output",
        ints: { num_heads: p.queryHeads, unidirectional: p.causal ? 1 : 0 },
        floats: { scale: p.scale },
      },
    ],
    inputs: [
      { name: "query", type: "float32", shape: [p.batch, p.queryLength, p.queryHeads * p.headDim] },
      { name: "key", type: "float32", shape: [p.batch, p.keyLength, p.kvHeads * p.headDim] },
      { name: "value", type: "float32", shape: [p.batch, p.keyLength, p.kvHeads * p.valueDim] },
    ],
    output: outputOf(p),
    shapes: {},
    scalars: {},
  };
}

function groupQuery(p: AttentionProblem): ModelGraph {
  const past = [p.batch, p.kvHeads, p.keyLength - 1, p.headDim];
  const one = (name: string, heads: number): ModelValue => ({
    name,
    type: "float32",
    shape: [p.batch, 1, heads * p.headDim],
  });
  const inputs: ModelValue[] = [
    one("query", p.queryHeads),
    one("key", p.kvHeads),
    one("value", p.kvHeads),
    { name: "pastKey", type: "float32", shape: past },
    { name: "pastValue", type: "float32", shape: past },
    { name: "lastKey", type: "int32", shape: [p.batch] },
    { name: "total", type: "int32", shape: [1] },
  ];
  return {
    opset: 17,
    nodes: [
      {
        op: "GroupQueryAttention",
        domain: "com.microsoft",
        inputs: inputs.map(({ name }) => name),
        output: "output",
        otherOutputs: ["presentKey", "presentValue"],
        ints: { num_heads: p.queryHeads, kv_num_heads: p.kvHeads },
        floats: { scale: p.scale },
      },
    ],
    inputs,
    output: outputOf(p),
    shapes: {},
    scalars: {},
  };
}

function outputOf(p: AttentionProblem): ModelValue {
  const shape = [p.batch, p.queryLength, p.queryHeads * p.valueDim];
  return { name: "output", type: "float32", shape };
}

/** Values by input name: `[batch, length, heads·size]`, and `[batch, heads, length, size]` for caches. */
export function fusedInputs(
  p: AttentionProblem,
  inputs: AttentionInputs<HostTensor>,
): Record<string, HostTensor> {
  const { query, key, value } = inputs;
  if (p.queryHeads === p.kvHeads) {
    return { query: merged(query), key: merged(key), value: merged(value) };
  }
  const last = p.keyLength - 1;
  return {
    query: merged(query),
    key: merged(slice(key, 2, last)),
    value: merged(slice(value, 2, last)),
    pastKey: contiguous(slice(key, 2, 0, last)),
    pastValue: contiguous(slice(value, 2, 0, last)),
    lastKey: tensor(new Int32Array(p.batch).fill(last), [p.batch]),
    total: tensor(Int32Array.of(p.keyLength), [1]),
  };
}

/** `[batch, length, heads·size]` as the output it is: a view. */
export function fusedOutput(p: AttentionProblem, data: Float32Array): HostTensor {
  return splitHeads(
    tensor(data, [p.batch, p.queryLength, p.queryHeads * p.valueDim]),
    p.queryHeads,
  );
}

function merged(t: HostTensor): HostTensor {
  const [batch, heads, length, size] = t.shape as [number, number, number, number];
  const { data } = contiguous(transpose(t, [0, 2, 1, 3]));
  return tensor(data.slice(0) as Float32Array, [batch, length, heads * size]);
}
