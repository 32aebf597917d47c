import {
  type AttentionProblem,
  type BoundAttention,
  type HostTensor,
  mergeHeads,
  slice,
} from "@heed/core";
import type { Tensor } from "onnxruntime-web";
import { hidingBias, hidingBiasShape } from "../hiding-bias.js";
import { dense, type PeerCall } from "../peer.js";
import { fusedOperator } from "./fused.js";
import type { GraphKind } from "./graphs.js";

/** Makes onnxruntime's tensors. */
export type TensorClass = typeof import("onnxruntime-web")["Tensor"];

export type Feeds = Record<string, Tensor>;

/** Queries, keys and values of a call as the graph of its problem wants them, in JavaScript's memory. */
export function feedsOf(
  kind: GraphKind,
  Tensor: TensorClass,
  p: AttentionProblem,
  call: PeerCall<Tensor>,
): Feeds {
  const { query, key, value } = call.bound;
  const given = (t: BoundAttention["query"], name: string, view: (t: HostTensor) => HostTensor) =>
    call.form(t, name, (host) => floats(Tensor, view(host)));
  if (kind === "matmul") {
    const plain = (t: BoundAttention["query"]) => given(t, "plain", (host) => host);
    return { query: plain(query), key: plain(key), value: plain(value) };
  }
  if (fusedOperator(p) === "MultiHeadAttention") {
    const packed = (t: BoundAttention["query"]) => given(t, "packed", mergeHeads);
    return { query: packed(query), key: packed(key), value: packed(value) };
  }
  const past = p.keyLength - p.queryLength;
  const last = (t: HostTensor) => mergeHeads(slice(t, 2, past));
  const cached = (t: HostTensor) => slice(t, 2, 0, past);
  return {
    query: given(query, "packed", mergeHeads),
    key: given(key, `last ${past}`, last),
    value: given(value, `last ${past}`, last),
    pastKey: given(key, `cached ${past}`, cached),
    pastValue: given(value, `cached ${past}`, cached),
  };
}

/** Feeds that tell the graph positions and lengths: a bias, a mask, or the index of the last key. */
export function positionFeeds(
  kind: GraphKind,
  Tensor: TensorClass,
  p: AttentionProblem,
  bound: BoundAttention,
): Feeds {
  if (kind === "matmul") {
    if (!p.causal && !p.kvLengths) return {};
    const [batches, , rows, keys] = hidingBiasShape(p);
    // Rows of different heads are told apart while it is added: see `matmulGraph`.
    const bias = new Tensor("float32", hidingBias(p, bound), [batches, 1, 1, rows, keys]);
    return { bias };
  }
  if (fusedOperator(p) === "MultiHeadAttention") {
    if (!p.kvLengths) return {};
    const mask = new Int32Array(p.batch * p.keyLength);
    for (let b = 0; b < p.batch; b++) {
      mask.fill(1, b * p.keyLength, b * p.keyLength + (bound.kvLengths[b] ?? 0));
    }
    return { mask: new Tensor("int32", mask, [p.batch, p.keyLength]) };
  }
  const last = new Int32Array(p.batch).fill(p.keyLength - 1);
  return {
    lastKey: new Tensor("int32", last, [p.batch]),
    total: new Tensor("int32", Int32Array.of(p.keyLength), []),
  };
}

/** Row-major without gaps, and nothing else in the array. */
function floats(Tensor: TensorClass, t: HostTensor): Tensor {
  return new Tensor("float32", dense<Float32Array>(t), [...t.shape]);
}
