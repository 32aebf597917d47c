import {
  type AttentionInputs,
  type AttentionProblem,
  contiguous,
  type HostTensor,
  mergeHeads,
  slice,
  tensor,
} from "@heed/core";
import type { Tensor } from "onnxruntime-web";
import { hidingBias, hidingBiasShape } from "../hiding-bias.js";
import { fusedOperator } from "./fused.js";
import type { GraphKind } from "./graphs.js";

/** Makes onnxruntime's tensors. */
export type TensorClass = typeof import("onnxruntime-web")["Tensor"];

type Feeds = Record<string, Tensor>;

/** The inputs of a call as the graph of its problem wants them, in JavaScript's memory. */
export function feedsOf(
  kind: GraphKind,
  Tensor: TensorClass,
  p: AttentionProblem,
  inputs: AttentionInputs<HostTensor>,
): Feeds {
  if (kind === "fused") {
    return fusedOperator(p) === "MultiHeadAttention"
      ? multiHead(Tensor, p, inputs)
      : groupQuery(Tensor, p, inputs);
  }
  const feeds: Feeds = {
    query: floats(Tensor, inputs.query),
    key: floats(Tensor, inputs.key),
    value: floats(Tensor, inputs.value),
  };
  if (kind === "attention" && p.kvLengths) {
    const shape = [p.batch, 1, p.queryLength, p.keyLength];
    feeds.mask = new Tensor("bool", lengthMask(p, inputs), shape);
  }
  if (kind === "matmul" && (p.causal || p.kvLengths)) {
    const [batches, , rows, keys] = hidingBiasShape(p);
    // Rows of different heads are told apart while it is added: see `matmulGraph`.
    feeds.bias = new Tensor("float32", hidingBias(p, inputs), [batches, 1, 1, rows, keys]);
  }
  return feeds;
}

function multiHead(
  Tensor: TensorClass,
  p: AttentionProblem,
  { query, key, value, kvLengths }: AttentionInputs<HostTensor>,
): Feeds {
  const feeds: Feeds = {
    query: floats(Tensor, mergeHeads(query)),
    key: floats(Tensor, mergeHeads(key)),
    value: floats(Tensor, mergeHeads(value)),
  };
  if (kvLengths) {
    const mask = new Int32Array(p.batch * p.keyLength);
    for (let b = 0; b < p.batch; b++) {
      mask.fill(1, b * p.keyLength, b * p.keyLength + (kvLengths[b] ?? 0));
    }
    feeds.mask = new Tensor("int32", mask, [p.batch, p.keyLength]);
  }
  return feeds;
}

function groupQuery(
  Tensor: TensorClass,
  p: AttentionProblem,
  { query, key, value }: AttentionInputs<HostTensor>,
): Feeds {
  const past = p.keyLength - p.queryLength;
  const last = new Int32Array(p.batch).fill(p.keyLength - 1);
  return {
    query: floats(Tensor, mergeHeads(query)),
    key: floats(Tensor, mergeHeads(slice(key, 2, past))),
    value: floats(Tensor, mergeHeads(slice(value, 2, past))),
    pastKey: floats(Tensor, slice(key, 2, 0, past)),
    pastValue: floats(Tensor, slice(value, 2, 0, past)),
    lastKey: new Tensor("int32", last, [p.batch]),
    total: new Tensor("int32", Int32Array.of(p.keyLength), []),
  };
}

/** Row-major without gaps, and nothing else in the array. */
function floats(Tensor: TensorClass, t: HostTensor): Tensor {
  const dense = contiguous(t);
  const count = dense.shape.reduce((a, b) => a * b, 1);
  const data = dense.data.subarray(dense.offset, dense.offset + count);
  return new Tensor("float32", tensor(data as Float32Array, dense.shape).data as Float32Array, [
    ...dense.shape,
  ]);
}

/** `[B, 1, Lq, Lk]`, 1 where the key exists. */
function lengthMask(p: AttentionProblem, inputs: AttentionInputs<HostTensor>): Uint8Array {
  const mask = new Uint8Array(p.batch * p.queryLength * p.keyLength);
  for (let b = 0; b < p.batch; b++) {
    const length = inputs.kvLengths?.[b] ?? p.keyLength;
    for (let i = 0; i < p.queryLength; i++) {
      const row = (b * p.queryLength + i) * p.keyLength;
      mask.fill(1, row, row + length);
    }
  }
  return mask;
}
