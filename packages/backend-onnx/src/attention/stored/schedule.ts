import type { AttentionProblem, BoundPositions, FloatDType, KeyRange, KvDType } from "@heed/core";
import type { ProviderTraits } from "../../runtime/traits.js";
import { boundsOfEntries } from "../bounds.js";
import { poolSpec } from "../graph/pool.js";
import type { StorageSpec } from "../graph/storage.js";
import { type CallPositions, positionsWithin, same } from "../position-feeds.js";
import { type Group, type GroupRules, groupsOf, wantsAllKeys } from "./groups.js";
import { headRangeOf, mostOfThem, type PoolRange, poolBounds, poolRangeOf } from "./pool.js";

/** How keys and values get to a graph. */
export interface KeyPath {
  /** The graph chooses and converts them; otherwise the host does, and the graph gets a batch. */
  readonly inGraph: boolean;
  /** The dtype in which a graph that chooses them is given them, and in which the host puts them together. */
  readonly dtype: KvDType;
  /** Outputs are put together on the device. */
  readonly onDevice: boolean;
  /** Pages may be read where they are, if those of a sequence lie side by side. */
  readonly inPool: boolean;
  /** Pages lie head by head, `[kvHeads, pages, pageSize, size]`, and are given so to a graph. */
  readonly byHead: boolean;
}

/** One run of a graph: a group of sequences as a batch of its own. */
export interface Part {
  readonly group: Group;
  /** The batch as a problem without pages, starts and storage; shapes of mask and bias are the call's. */
  readonly problem: AttentionProblem;
  readonly storage: StorageSpec;
  readonly positions: CallPositions;
  /** The pages that are read where they are; null where that is not done. */
  readonly pool: PoolRange | null;
  /** See {@link KeyPath}. */
  readonly byHead: boolean;
}

/** All runs of a call. */
export interface Schedule {
  readonly path: KeyPath;
  readonly given: BoundPositions;
  readonly parts: readonly Part[];
  /** Whether the only part's outputs are the call's. */
  readonly whole: boolean;
}

/** The runs that a call needs. */
export function scheduleOf(
  problem: AttentionProblem,
  given: BoundPositions,
  path: KeyPath,
  traits: ProviderTraits,
): Schedule {
  const rules = groupRules(problem, path, traits);
  const inPool = path.inPool ? poolParts(problem, given, path, rules) : null;
  if (inPool) return { path, given, parts: inPool, whole: isWhole(problem, inPool) };
  const groups = groupsOf(problem, given, rules);
  const whole = isWhole(problem, groups);
  const parts = groups.map((group) => partOf(problem, group, path, whole));
  return { path, given, parts, whole };
}

function isWhole({ ragged }: AttentionProblem, groups: readonly unknown[]): boolean {
  return groups.length === 1 && ragged === null;
}

/** A run for each sequence that reads its pages where they are; null unless all of them can. */
function poolParts(
  problem: AttentionProblem,
  given: BoundPositions,
  path: KeyPath,
  rules: GroupRules,
): readonly Part[] | null {
  const table = given.pageTable as Int32Array;
  const size = problem.pages?.size as number;
  const groups = groupsOf(problem, given, { ...rules, apart: true });
  const parts: Part[] = [];
  for (const group of groups) {
    const number = group.sequences[0] as number;
    const sight = group.sights[0] as KeyRange;
    const range = path.byHead ? headRangeOf : poolRangeOf;
    const pool = range(problem, table, number, sight);
    if (pool === null) return null;
    const { storage, positions } = partOf(problem, group, path, isWhole(problem, groups));
    const { bounds, entries, sequences, kvLengths } = positions;
    // Rows that see different keys would need the order of the keys.
    if (bounds.rows !== 1) return null;
    const spec = path.byHead ? null : poolSpec(size);
    const within = withinGroup(problem, { ...group, keys: pool.count * size });
    const own = poolBounds(problem, group, bounds, table, pool, spec?.batch ?? "pages");
    const dense = pool.count === problem.pages?.count ? "whole" : "range";
    parts.push({
      group,
      problem: within,
      storage: { ...storage, keys: spec ? "pool" : dense, pool: spec, masksInPart: false },
      positions: positionsWithin(within, own, entries, sequences, kvLengths),
      pool,
      byHead: path.byHead,
    });
  }
  return parts.length > 0 ? parts : null;
}

/** Whether a schedule is that of a call with the given positions. */
export function isScheduled(known: Schedule, asked: BoundPositions, path: KeyPath): boolean {
  const { given } = known;
  return (
    known.path.inGraph === path.inGraph &&
    known.path.onDevice === path.onDevice &&
    known.path.inPool === path.inPool &&
    known.path.byHead === path.byHead &&
    same(given.offsets, asked.offsets) &&
    same(given.kvLengths, asked.kvLengths) &&
    same(given.queryStarts, asked.queryStarts) &&
    same(given.keyStarts, asked.keyStarts) &&
    same(given.pageTable, asked.pageTable) &&
    same(given.queryPositions, asked.queryPositions) &&
    same(given.keyPositions, asked.keyPositions)
  );
}

function groupRules(
  { pages, ragged }: AttentionProblem,
  { inGraph, onDevice }: KeyPath,
  { largestTensor, memory, maxWorkspaceBytes, startCost }: ProviderTraits,
): GroupRules {
  const bytes = Math.min(
    largestTensor ?? Infinity,
    (memory ?? Infinity) / 4,
    maxWorkspaceBytes / 4,
  );
  return {
    inPlace: inGraph && pages === null && ragged === null,
    startCost,
    mostLogits: bytes / 4,
    // Outputs on a device are joined by one node, which binds all of them.
    most: onDevice ? 6 : Infinity,
    apart: false,
  };
}

function partOf(problem: AttentionProblem, group: Group, path: KeyPath, whole: boolean): Part {
  const { pages, ragged, keyLength, batch } = problem;
  const all = group.keys === keyLength && group.entries.every(({ start }) => start === 0);
  const rangeSaves = group.keys <= mostOfThem * keyLength || group.entries.length < batch;
  const inRange = pages === null && ragged === null && path.inGraph && !all && rangeSaves;
  const isDense = pages === null && ragged === null && path.inGraph;
  // A range that would save little is not cut: the whole is read.
  const own = isDense && !inRange ? wholeGroup(problem, group) : group;
  const within = withinGroup(problem, own);
  const bounds = boundsOfEntries(within, own.entries);
  const kvLengths = Int32Array.from(own.entries, ({ sequence, start }) =>
    Math.max(0, Math.min(own.keys, sequence.keyLength - start)),
  );
  const masksInPart = own.keys !== keyLength || own.entries.some(({ start }) => start !== 0);
  return {
    group: own,
    problem: within,
    storage: {
      queries: ragged ? "rows" : whole ? "whole" : "entries",
      keys: keysOf(problem, path, inRange),
      dtype: path.dtype,
      scalesRows: false,
      convertsFirst: false,
      masksInPart: masksInPart && (isLong(problem.mask) || isLong(problem.bias)),
      parts: 1,
      pool: null,
    },
    positions: positionsWithin(within, bounds, own.entries, own.sequences, kvLengths),
    pool: null,
    byHead: path.byHead,
  };
}

function keysOf(
  { pages, ragged }: AttentionProblem,
  { inGraph }: KeyPath,
  inRange: boolean,
): StorageSpec["keys"] {
  if (!inGraph) return "whole";
  if (pages) return "pages";
  if (ragged) return "rows";
  return inRange ? "range" : "whole";
}

function wholeGroup({ keyLength }: AttentionProblem, group: Group): Group {
  const entries = group.entries.map(({ sequence }) => ({ sequence, start: 0 }));
  return { ...group, entries, keys: keyLength };
}

/** The problem of a group's batch. */
export function withinGroup(
  problem: AttentionProblem,
  { entries, rows, keys }: Pick<Group, "rows" | "keys"> & { readonly entries: ArrayLike<unknown> },
): AttentionProblem {
  return {
    ...problem,
    batch: entries.length,
    sequences: entries.length,
    queryLength: rows,
    keyLength: keys,
    kvDtype: problem.dtype,
    pages: null,
    ragged: null,
  };
}

/**
 * The least that a run of a problem computes at once: a single sequence, of average length in a ragged batch.
 * How long the sequences really are is data.
 */
export function leastPart(problem: AttentionProblem): AttentionProblem {
  const { batch, sequences, ragged, queryLength, keyLength } = problem;
  const each = (total: number): number => Math.ceil(total / Math.max(1, sequences));
  return withinGroup(problem, {
    entries: { length: wantsAllKeys(problem) ? batch : Math.min(1, batch) },
    rows: ragged ? each(queryLength) : queryLength,
    keys: ragged?.keys ? each(keyLength) : keyLength,
  });
}

/** Whether keys and values are stored otherwise than as a batch of the query's dtype. */
export function isStored({ dtype, kvDtype, pages, ragged }: AttentionProblem): boolean {
  return kvDtype !== dtype || pages !== null || ragged !== null;
}

/** Bytes of keys and values that are put together and converted. */
export function expandedBytes({
  batch,
  kvHeads,
  keyLength,
  headDim,
  valueDim,
  dtype,
}: AttentionProblem): number {
  return batch * kvHeads * keyLength * (headDim + valueDim) * (dtype === "float64" ? 8 : 4);
}

/**
 * The dtype in which the host puts keys and values together. On wasm that is not float16: the node Cast takes 8 ns
 * an element there, and the host 1.2.
 */
export function convertedDType(
  { dtype, kvDtype }: AttentionProblem,
  { float16, provider }: Pick<ProviderTraits, "float16" | "provider">,
): FloatDType {
  const keepsFloat16 = float16 && provider !== "wasm";
  if (kvDtype !== dtype) return "float32";
  return dtype === "float16" && !keepsFloat16 ? "float32" : dtype;
}

function isLong(broadcast: { readonly shape: readonly number[] } | null): boolean {
  return broadcast !== null && broadcast.shape[3] !== 1;
}
