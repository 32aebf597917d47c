import {
  type AttentionInputs,
  type AttentionProblem,
  allocate,
  bindHeadValues,
  cast,
  contiguous,
  type DType,
  elementCount,
  type HostTensor,
  statisticsDType,
  type Tensor,
  type TypedArray,
} from "@heed/core";
import type { Bounds } from "./bounds.js";
import { deviceFeed, onDevice } from "./device/call.js";
import { storedDims } from "./graph/inputs.js";
import { canonicalOrder, type GraphSpec } from "./graph/spec.js";
import { nativeReadable } from "./runtime/native-float16.js";
import type { Runtime, RuntimeDType, RuntimeTensor } from "./runtime/runtime.js";

export type Feeds = Record<string, RuntimeTensor>;

/** What a call's positions and lengths came to. */
export interface CallPositions {
  readonly bounds: Bounds;
  readonly kvLengths: Int32Array;
}

/** Everything that a graph reads, for one call. */
export function callFeeds(
  runtime: Runtime,
  problem: AttentionProblem,
  spec: GraphSpec,
  inputs: AttentionInputs,
  positions: CallPositions,
): Feeds {
  const { query, key, value, mask, bias } = inputs;
  const feed = (name: string, t: Tensor, dtype: DType, shape: readonly number[]): RuntimeTensor =>
    onDevice(t)
      ? deviceFeed(runtime, name, t, dtype, shape)
      : hostFeed(runtime, contiguous(cast(t as HostTensor, dtype)), shape);
  const main = (name: "query" | "key" | "value", t: Tensor): RuntimeTensor => {
    const order = spec.order[name];
    return order === canonicalOrder
      ? feed(name, t, spec.dtype, t.shape)
      : hostFeed(runtime, t as HostTensor, storedDims(t.shape, order));
  };
  const feeds: Feeds = {
    query: main("query", query),
    key: main("key", key),
    value: main("value", value),
  };
  if (mask && problem.mask) feeds.mask = feed("mask", mask, "bool", problem.mask.shape);
  if (bias && problem.bias && spec.bias) {
    feeds.bias = feed("bias", bias, spec.bias.dtype, problem.bias.shape);
  }
  addPositions(feeds, runtime, problem, spec, positions);
  addHeadValues(feeds, runtime, problem, inputs);
  return feeds;
}

/**
 * A tensor as onnxruntime takes it: exactly its elements, in the order in which they lie.
 *
 * @param t without gaps
 * @param dims sizes of its axes in that order
 */
function hostFeed(runtime: Runtime, t: HostTensor, dims: readonly number[]): RuntimeTensor {
  const { data, offset, dtype, shape } = t;
  const count = elementCount(shape);
  const own = data.length === count ? data : data.subarray(offset, offset + count);
  return nativeReadable(runtime, new runtime.Tensor(dtype as RuntimeDType, own, dims));
}

/** See `positionInputs`, which says what each of them is. */
function addPositions(
  feeds: Feeds,
  { Tensor }: Runtime,
  { batch, queryLength, keyLength, dtype }: AttentionProblem,
  spec: GraphSpec,
  { bounds, kvLengths }: CallPositions,
): void {
  const compute = statisticsDType(dtype);
  const bandRows = [bounds.batches, 1, bounds.rows, 1];
  if (spec.band || spec.scoresEnd) {
    feeds.keyIndices = new Tensor("int32", upTo(new Int32Array(keyLength)), [1, 1, 1, keyLength]);
  }
  if (spec.band?.first) feeds.firstKeys = new Tensor("int32", bounds.first, bandRows);
  if (spec.band?.last) feeds.lastKeys = new Tensor("int32", bounds.last, bandRows);
  if (spec.band?.emptyRows) {
    const sees = Uint8Array.from(bounds.first, (first, at) =>
      first <= (bounds.last[at] as number) ? 1 : 0,
    );
    feeds.rowSeesKeys = new Tensor("bool", sees, bandRows);
  }
  if (spec.scoresEnd) feeds.kvLengths = new Tensor("int32", kvLengths, [batch, 1, 1, 1]);
  if (spec.guard === "rows") {
    const seen = new Uint8Array(bounds.batches * keyLength);
    for (const [b, { from, to }] of bounds.seenBySome.entries()) {
      seen.fill(1, b * keyLength + from, b * keyLength + to);
    }
    feeds.keyIsSeen = new Tensor("bool", seen, [bounds.batches, 1, keyLength, 1]);
  }
  if (spec.alibi) {
    feeds.queryPositions = new Tensor(compute, numbers(compute, bounds.positions), [
      bounds.batches,
      1,
      queryLength,
      1,
    ]);
    const keys = upTo(numbers(compute, new Int32Array(keyLength)));
    feeds.keyPositions = new Tensor(compute, keys, [1, 1, 1, keyLength]);
  }
}

function addHeadValues(
  feeds: Feeds,
  { Tensor }: Runtime,
  { dtype, queryHeads }: AttentionProblem,
  inputs: AttentionInputs,
): void {
  const compute = statisticsDType(dtype);
  const values = bindHeadValues(inputs);
  for (const name of ["alibiSlopes", "sinks"] as const) {
    const list = values[name];
    if (list) feeds[name] = new Tensor(compute, numbers(compute, list), [1, queryHeads, 1, 1]);
  }
}

/** Writes 0, 1, 2, … */
function upTo<A extends TypedArray>(array: A): A {
  for (let i = 0; i < array.length; i++) array[i] = i;
  return array;
}

function numbers(dtype: "float64" | "float32", values: ArrayLike<number>): TypedArray {
  const array = allocate(dtype, values.length);
  array.set(values as never);
  return array;
}
