import {
  type AttentionProblem,
  allocate,
  type BoundPositions,
  statisticsDType,
  type TypedArray,
} from "@heed/core";
import type { Runtime, RuntimeDType, RuntimeTensor } from "../runtime/runtime.js";
import {
  arePositionsFar,
  keyDistances,
  type PositionPart,
  queryDistances,
} from "./alibi-positions.js";
import { type Bounds, boundsOfEntries, type Entry, entriesOf } from "./bounds.js";
import { keyChunks } from "./graph/chunks.js";
import type { GraphSpec, PositionSpec } from "./graph/spec.js";
import { keyFlags } from "./seen-keys.js";
import { variableFeeds } from "./variable-feeds.js";

/** Inputs of a session by name. */
export type Feeds = Record<string, RuntimeTensor>;

/** Positions and lengths of a call, and what graphs read of them. */
export interface CallPositions {
  readonly bounds: Bounds;
  /** `[batch]`: the sequences, as batch entries of a graph, and their numbers among the problem's. */
  readonly entries: readonly Entry[];
  readonly sequences: readonly number[];
  /** Whether positions of ALiBi are given in two parts: see {@link arePositionsFar}. */
  readonly far: boolean;
  /** `[batch]`. */
  readonly kvLengths: Int32Array;
  /** {@link positionFeeds} of each graph, for calls with the same positions. */
  readonly feeds: Map<FedGraph, readonly PositionFeed[]>;
}

/** The positions of a call whose batch entries are its sequences, and by what it was told apart. */
export interface KnownPositions extends CallPositions {
  readonly given: BoundPositions;
}

export function callPositions(problem: AttentionProblem, given: BoundPositions): KnownPositions {
  const entries = entriesOf(problem, given);
  const bounds = boundsOfEntries(problem, entries);
  const sequences = entries.map((_, number) => number);
  return { ...positionsWithin(problem, bounds, entries, sequences, given.kvLengths), given };
}

export function positionsWithin(
  { alibi, keyLength }: Pick<AttentionProblem, "alibi" | "keyLength">,
  bounds: Bounds,
  entries: readonly Entry[],
  sequences: readonly number[],
  kvLengths: Int32Array,
): CallPositions {
  const far = alibi && arePositionsFar(bounds.entries, keyLength);
  return { bounds, entries, sequences, far, kvLengths, feeds: new Map() };
}

/** The values that a graph's spec depends on. */
export function positionSpec(
  { bounds: { band }, far }: CallPositions,
  guard: PositionSpec["guard"],
): PositionSpec {
  return { band, guard, far };
}

/** Whether a call has the positions and lengths that are known. */
export function areAt({ given }: KnownPositions, asked: BoundPositions): boolean {
  return (
    same(given.offsets, asked.offsets) &&
    same(given.kvLengths, asked.kvLengths) &&
    same(given.queryPositions, asked.queryPositions) &&
    same(given.keyPositions, asked.keyPositions)
  );
}

/** Whether two arrays hold the same; both are null, or of one length. */
export function same(
  known: Int32Array | null | undefined,
  given: Int32Array | null | undefined,
): boolean {
  if (known === given || !known || !given) return true;
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
  /** Element types of its inputs, by name. */
  readonly types: ReadonlyMap<string, RuntimeDType>;
}

/** The inputs of a graph that `positionInputs` declares and explains, and those of chunks of keys. */
export function positionFeeds(
  { Tensor }: Runtime,
  problem: AttentionProblem,
  { reads }: FedGraph,
  positions: CallPositions,
): Feeds {
  const { bounds, far, kvLengths } = positions;
  const { batch, queryLength, keyLength, dtype } = problem;
  const compute = statisticsDType(dtype);
  const { entries, batches, rows, ranks, first, last, seen } = bounds;
  const bandRows = [batches, 1, rows, 1];
  const ofQueries = (part: PositionPart): RuntimeTensor => {
    const values = queryDistances(
      entries,
      queryLength,
      part,
      allocate(compute, batches * queryLength),
    );
    return new Tensor(compute, values, [batches, 1, queryLength, 1]);
  };
  const ofKeys = (part: PositionPart): RuntimeTensor => {
    const count = entries.some(({ sequence }) => sequence.keyPositions) ? batches : 1;
    const values = keyDistances(entries, keyLength, part, allocate(compute, count * keyLength));
    return new Tensor(compute, values, [count, 1, 1, keyLength]);
  };
  const make: Readonly<Record<string, () => RuntimeTensor>> = {
    keyIndices: () => new Tensor("int32", upTo(new Int32Array(keyLength)), [1, 1, 1, keyLength]),
    firstKeys: () => new Tensor("int32", first, bandRows),
    lastKeys: () => new Tensor("int32", last, bandRows),
    visibleKeys: () => new Tensor("bool", keyFlags(seen, keyLength), [batches, 1, 1, keyLength]),
    rowSeesKeys: () => {
      const sees = Uint8Array.from(first, (from, at) => (from <= (last[at] as number) ? 1 : 0));
      return new Tensor("bool", sees, bandRows);
    },
    noKeys: () =>
      new Tensor(compute, allocate(compute, 0), [batch, problem.kvHeads, 0, problem.headDim]),
    keyCount: () => new Tensor("int32", Int32Array.of(keyLength), []),
    lastKeyOfBatch: () => new Tensor("int32", new Int32Array(batch).fill(keyLength - 1), [batch]),
    kvLengths: () => new Tensor("int32", kvLengths, [batch, 1, 1, 1]),
    keyIsSeen: () => new Tensor("bool", keyFlags(seen, keyLength), [batches, 1, keyLength, 1]),
    keyRanks: () => new Tensor("int32", ranks ?? [], [batches, 1, 1, keyLength]),
    queryPositions: () => ofQueries(far ? "low" : "near"),
    queryPositionsHigh: () => ofQueries("high"),
    keyPositions: () => ofKeys(far ? "low" : "near"),
    keyPositionsHigh: () => ofKeys("high"),
    ...variableFeeds(Tensor, problem, positions),
    ...chunkFeeds(Tensor, keyLength, problem.valueDim),
  };
  const feeds: Feeds = {};
  for (const name of reads) {
    const t = make[name]?.();
    if (t) feeds[name] = t;
  }
  return feeds;
}

/** The inputs of a graph that sums up many keys by chunks: see `keyChunks`. */
export function chunkFeeds(
  Tensor: Runtime["Tensor"],
  keyLength: number,
  valueDim: number,
): Readonly<Record<string, () => RuntimeTensor>> {
  const sizes = (...values: readonly number[]): RuntimeTensor =>
    new Tensor("int64", BigInt64Array.from(values, BigInt), [values.length]);
  const chunked = (of: (count: number, length: number) => RuntimeTensor) => (): RuntimeTensor => {
    const { count, length } = keyChunks(keyLength);
    return of(count, length);
  };
  return {
    chunkedWeights: chunked((count, length) => sizes(0, 0, 0, count, length)),
    chunkedValues: chunked((count, length) => sizes(0, 0, count, length, valueDim)),
    chunkedKeys: chunked((count, length) => sizes(count * length)),
  };
}

/** Writes 0, 1, 2, … */
function upTo<A extends TypedArray>(array: A): A {
  for (let i = 0; i < array.length; i++) array[i] = i;
  return array;
}
