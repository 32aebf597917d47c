import {
  type AttentionProblem,
  allocate,
  type BoundPositions,
  type KeyRange,
  statisticsDType,
  type TypedArray,
} from "@heed/core";
import type { Runtime, RuntimeTensor } from "../runtime/runtime.js";
import { type Bounds, boundsOf } from "./bounds.js";
import { keyChunks } from "./graph/chunks.js";
import type { GraphSpec } from "./graph/spec.js";

/** Inputs of a session by name. */
export type Feeds = Record<string, RuntimeTensor>;

/** Positions and lengths of a call, and what graphs read of them. */
export interface CallPositions {
  readonly bounds: Bounds;
  readonly offsets: Int32Array;
  readonly kvLengths: Int32Array;
  /** {@link positionFeeds} of each graph, for calls with the same positions. */
  readonly feeds: Map<FedGraph, readonly PositionFeed[]>;
}

export function callPositions(
  problem: AttentionProblem,
  { offsets, kvLengths }: BoundPositions,
): CallPositions {
  const bounds = boundsOf(problem, { offsets, kvLengths });
  return { bounds, offsets, kvLengths, feeds: new Map() };
}

/** Whether a call has the positions and lengths that are known. */
export function areAt(known: CallPositions, { offsets, kvLengths }: BoundPositions): boolean {
  return same(known.offsets, offsets) && same(known.kvLengths, kvLengths);
}

function same(known: Int32Array, given: Int32Array): boolean {
  if (known === given) return true;
  for (let i = 0; i < known.length; i++) {
    if (known[i] !== given[i]) return false;
  }
  return true;
}

/** One input of a graph. */
export interface PositionFeed {
  readonly name: string;
  readonly fed: RuntimeTensor;
}

/** The part of a graph that says which inputs it has. */
export interface FedGraph {
  readonly spec: GraphSpec;
  /** Names of its inputs. */
  readonly reads: readonly string[];
}

/** The inputs of a graph that `positionInputs` declares and explains, and those of chunks of keys. */
export function positionFeeds(
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
  for (const [b, { start, end }] of ranges.entries()) {
    flags.fill(1, b * keyLength + start, b * keyLength + end);
  }
  return flags;
}

/** Writes 0, 1, 2, … */
function upTo<A extends TypedArray>(array: A): A {
  for (let i = 0; i < array.length; i++) array[i] = i;
  return array;
}
