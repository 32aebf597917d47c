import {
  type AttentionInputs,
  type AttentionProblem,
  allocate,
  bindHeadValues,
  cast,
  contiguous,
  type DType,
  type HostTensor,
  isContiguous,
  statisticsDType,
  type Tensor,
  type TypedArray,
} from "@heed/core";
import { zeroOrOne } from "./booleans.js";
import type { Bounds, KeyRange } from "./bounds.js";
import { deviceFeed, onDevice } from "./device/call.js";
import { keyChunks } from "./graph/chunks.js";
import { storedDims } from "./graph/inputs.js";
import { canonicalOrder, type GraphSpec } from "./graph/spec.js";
import { runtimeTensor } from "./runtime/native-data.js";
import type { Runtime, RuntimeDType, RuntimeTensor } from "./runtime/runtime.js";

export type Feeds = Record<string, RuntimeTensor>;

/** What a call's positions and lengths came to, and what graphs were fed of it. */
export interface CallPositions {
  readonly bounds: Bounds;
  readonly kvLengths: Int32Array;
  /** {@link positionFeeds} of each graph, for calls with the same positions. */
  readonly feeds: Map<FedGraph, readonly PositionFeed[]>;
}

interface PositionFeed {
  readonly name: string;
  readonly fed: RuntimeTensor;
}

/** What feeding needs to know of a graph. */
export interface FedGraph {
  readonly spec: GraphSpec;
  /** Names of its inputs. */
  readonly reads: readonly string[];
}

/** Query, key and value as a graph reads them. */
export interface MainFeeds {
  readonly query: RuntimeTensor;
  readonly key: RuntimeTensor;
  readonly value: RuntimeTensor;
}

/**
 * What onnxruntime was given of host tensors that it was given as they are: keys and values of a cache
 * are the same tensors at every step. Tensors that can change are not kept.
 */
export class KnownFeeds {
  readonly #known = new WeakMap<Tensor, RuntimeTensor>();

  /** Of a call all of whose tensors are known: they are row-major, and stored in their own dtype. */
  of({ query, key, value }: AttentionInputs): MainFeeds | null {
    const [q, k, v] = [this.get(query), this.get(key), this.get(value)];
    return q && k && v ? { query: q, key: k, value: v } : null;
  }

  get(t: Tensor): RuntimeTensor | undefined {
    return this.#known.get(t);
  }

  /** @returns what was fed */
  keep(t: Tensor, fed: RuntimeTensor): RuntimeTensor {
    const asItIs = "data" in t && fed.location === "cpu" && t.data === fed.data;
    if (asItIs && [t, t.shape, t.strides].every(Object.isFrozen)) this.#known.set(t, fed);
    return fed;
  }
}

/** Everything that a graph reads, for one call. */
export function callFeeds(
  runtime: Runtime,
  problem: AttentionProblem,
  graph: FedGraph,
  inputs: AttentionInputs,
  positions: CallPositions,
  main: MainFeeds,
): Feeds {
  const { mask, bias } = inputs;
  const { spec } = graph;
  const feeds: Feeds = { query: main.query, key: main.key, value: main.value };
  let known = positions.feeds.get(graph);
  if (!known) {
    const made = positionFeeds(runtime, problem, graph, positions);
    known = Object.entries(made).map(([name, fed]) => ({ name, fed }));
    positions.feeds.set(graph, known);
  }
  for (const { name, fed } of known) feeds[name] = fed;
  if (mask && problem.mask) feeds.mask = feed(runtime, "mask", mask, "bool", problem.mask.shape);
  if (bias && problem.bias && spec.bias) {
    feeds.bias = feed(runtime, "bias", bias, spec.bias.dtype, problem.bias.shape);
  }
  if (spec.alibi || spec.sinks) addHeadValues(feeds, runtime, problem, inputs);
  return feeds;
}

/** Query, key and value, each given as it lies where that is the order that the graph reads. */
export function mainFeeds(
  runtime: Runtime,
  { dtype, order }: GraphSpec,
  { query, key, value }: AttentionInputs,
  known: KnownFeeds,
): MainFeeds {
  const fed = (name: "query" | "key" | "value", t: Tensor): RuntimeTensor =>
    order[name] === canonicalOrder
      ? (known.get(t) ?? known.keep(t, feed(runtime, name, t, dtype, t.shape)))
      : hostFeed(runtime, t as HostTensor, storedDims(t.shape, order[name]));
  return { query: fed("query", query), key: fed("key", key), value: fed("value", value) };
}

function feed(
  runtime: Runtime,
  name: string,
  t: Tensor,
  dtype: DType,
  shape: readonly number[],
): RuntimeTensor {
  if (onDevice(t)) return deviceFeed(runtime, name, t, dtype, shape);
  const given = cast(t as HostTensor, dtype);
  const dense = isContiguous(given) ? given : contiguous(given);
  return hostFeed(runtime, dtype === "bool" ? zeroOrOne(dense) : dense, shape);
}

/**
 * A tensor as onnxruntime takes it: exactly its elements, in the order in which they lie.
 *
 * @param t without gaps
 * @param dims sizes of its axes in that order
 */
function hostFeed(runtime: Runtime, t: HostTensor, dims: readonly number[]): RuntimeTensor {
  const { data, offset, dtype } = t;
  let count = 1;
  for (const size of dims) count *= size;
  const own = (data.length === count ? data : data.subarray(offset, offset + count)) as TypedArray;
  return runtimeTensor(runtime, dtype as RuntimeDType, own, dims);
}

/** Of a graph's inputs, those that `positionInputs` declares and explains. */
function positionFeeds(
  { Tensor }: Runtime,
  problem: AttentionProblem,
  { reads }: FedGraph,
  { bounds, kvLengths }: CallPositions,
): Feeds {
  const { batch, queryLength, keyLength, dtype } = problem;
  const compute = statisticsDType(dtype);
  const { batches, rows, first, last, seenBySome } = bounds;
  const bandRows = [batches, 1, rows, 1];
  const make: Readonly<Record<string, () => RuntimeTensor>> = {
    keyIndices: () => new Tensor("int32", upTo(new Int32Array(keyLength)), [1, 1, 1, keyLength]),
    firstKeys: () => new Tensor("int32", first, bandRows),
    lastKeys: () => new Tensor("int32", last, bandRows),
    visibleKeys: () =>
      new Tensor("bool", keyFlags(seenBySome, keyLength), [batches, 1, 1, keyLength]),
    rowSeesKeys: () => {
      const sees = Uint8Array.from(first, (from, at) => (from <= (last[at] as number) ? 1 : 0));
      return new Tensor("bool", sees, bandRows);
    },
    noKeys: () =>
      new Tensor(compute, allocate(compute, 0), [batch, problem.kvHeads, 0, problem.headDim]),
    keyCount: () => new Tensor("int32", Int32Array.of(keyLength), []),
    lastKeyOfBatch: () => new Tensor("int32", new Int32Array(batch).fill(keyLength - 1), [batch]),
    kvLengths: () => new Tensor("int32", kvLengths, [batch, 1, 1, 1]),
    keyIsSeen: () =>
      new Tensor("bool", keyFlags(seenBySome, keyLength), [batches, 1, keyLength, 1]),
    queryPositions: () => {
      const positions = allocate(compute, batches * queryLength);
      for (let at = 0; at < positions.length; at++) {
        const offset = bounds.offsets[Math.floor(at / queryLength)] as number;
        positions[at] = offset + (at % queryLength);
      }
      return new Tensor(compute, positions, [batches, 1, queryLength, 1]);
    },
    chunkedWeights: () => {
      const { count, length } = keyChunks(keyLength);
      return new Tensor("int64", BigInt64Array.of(0n, 0n, 0n, BigInt(count), BigInt(length)), [5]);
    },
    chunkedValues: () => {
      const { count, length } = keyChunks(keyLength);
      const sizes = [0, 0, count, length, problem.valueDim];
      return new Tensor("int64", BigInt64Array.from(sizes, BigInt), [5]);
    },
    chunkedKeys: () => {
      const { count, length } = keyChunks(keyLength);
      return new Tensor("int64", BigInt64Array.of(BigInt(count * length)), [1]);
    },
    keyPositions: () =>
      new Tensor(compute, upTo(allocate(compute, keyLength)), [1, 1, 1, keyLength]),
  };
  const feeds: Feeds = {};
  for (const name of reads) {
    const t = make[name]?.();
    if (t) feeds[name] = t;
  }
  return feeds;
}

/** `[batches, keyLength]`: 1 in each batch's range. */
function keyFlags(ranges: readonly KeyRange[], keyLength: number): Uint8Array {
  const flags = new Uint8Array(ranges.length * keyLength);
  for (const [b, { from, to }] of ranges.entries()) {
    flags.fill(1, b * keyLength + from, b * keyLength + to);
  }
  return flags;
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
