import {
  type AttentionProblem,
  type BoundPositions,
  Sequence,
  type VisibleBand,
  visibleBand,
  visibleKeys,
} from "@heed/core";
import type { BandSpec } from "./graph/spec.js";
import { rangeSeen, type SeenKeys, seenByCounts, seenByFlags } from "./seen-keys.js";

/** A batch entry of a graph: a sequence, of whose keys those from `start` on are given to the graph. */
export interface Entry {
  readonly sequence: Sequence;
  readonly start: number;
}

/** The part of a problem that bounds depend on. */
export type BoundedProblem = Pick<
  AttentionProblem,
  "queryLength" | "keyLength" | "causal" | "window"
>;

/** The keys that the position rules of a call leave to each row. */
export interface Bounds {
  /** One a batch entry; a single one where all of them are alike. */
  readonly entries: readonly Entry[];
  /** 1 where all batches are alike, else the batch size. */
  readonly batches: number;
  /** 1 where a batch's rows all see the same keys, else queryLength. */
  readonly rows: number;
  /**
   * `[batches, keyLength]`: the place of each key in the order of positions, where rows differ and keys are at
   * positions of their own; null: the keys' indices.
   */
  readonly ranks: Int32Array | null;
  /**
   * `[batches, rows]`: first and last key of each row, within the keys; empty if last < first. They count
   * ranks where there are any.
   */
  readonly first: Int32Array;
  readonly last: Int32Array;
  /** The bounds that hide any key; null if every row sees every key. */
  readonly band: BandSpec | null;
  /** `[batches]`. */
  readonly seen: readonly SeenKeys[];
}

/** Whether rows at different positions see different keys: with a causal rule or a window. */
export function movesWithRows({ left, right }: VisibleBand): boolean {
  return Number.isFinite(left) || Number.isFinite(right);
}

/** The batch entries of a call, where they are its sequences. */
export function entriesOf(problem: AttentionProblem, positions: BoundPositions): readonly Entry[] {
  const entries: Entry[] = [];
  for (let b = 0; b < problem.batch; b++) {
    entries.push({ sequence: new Sequence(problem, positions, b), start: 0 });
  }
  return entries;
}

/** Causal, window and lengths of a call whose batch entries are its sequences. */
export function boundsOf(problem: AttentionProblem, positions: BoundPositions): Bounds {
  return boundsOfEntries(problem, entriesOf(problem, positions));
}

/** Causal, window, lengths and positions as one range of keys a row: `visibleKeys` of core. */
export function boundsOfEntries(problem: BoundedProblem, given: readonly Entry[]): Bounds {
  const { queryLength, keyLength } = problem;
  const visible = visibleBand(problem);
  const alike = given.every((entry) => areAlike(entry, given[0] as Entry));
  const entries = alike ? given.slice(0, 1) : given;
  const batches = entries.length;
  const moves = movesWithRows(visible);
  const perRow = queryLength > 1 && moves;
  const rows = perRow ? queryLength : 1;
  const first = new Int32Array(batches * rows);
  const last = new Int32Array(batches * rows);
  const ranked = perRow && entries.some(({ sequence }) => sequence.keyPositions !== null);
  const ranks = ranked ? new Int32Array(batches * keyLength) : null;
  const seen: SeenKeys[] = [];
  let [hidesFirst, hidesLast, emptyRows] = [false, false, false];
  let diagonal = perRow && !ranked && queryLength === keyLength && visible.left >= 0;
  for (const [b, entry] of entries.entries()) {
    const { sequence, start } = entry;
    const length = Math.max(0, Math.min(keyLength, sequence.keyLength - start));
    const own = [first, last].map((all) => all.subarray(b * rows, (b + 1) * rows));
    const [starts, ends] = own as [Int32Array, Int32Array];
    let flags: Uint8Array | null = null;
    if (sequence.keyPositions === null) {
      for (let i = 0; i < rows; i++) {
        const keys = visibleKeys(visible, length, positionOf(entry, i) - start);
        starts[i] = keys.start;
        ends[i] = keys.end;
        if (keys.start !== Math.max(0, i - visible.left) || keys.end !== i + 1) diagonal = false;
      }
    } else if (ranks) {
      rankedRows(visible, entry, length, {
        ranks: ranks.subarray(b * keyLength, (b + 1) * keyLength),
        starts,
        ends,
      });
    } else {
      // One row, or rows that see all keys alike.
      flags = keysOfRow(visible, entry, keyLength, length, moves);
      ends[0] = flags.includes(1) ? keyLength : 0;
      if (flags.includes(0)) hidesFirst = true;
    }
    for (let i = 0; i < rows; i++) {
      if ((starts[i] as number) > 0) hidesFirst = true;
      if ((ends[i] as number) < keyLength) hidesLast = true;
      if (starts[i] === ends[i]) emptyRows = true;
    }
    if (flags) seen.push(seenByFlags(flags));
    else if (ranks || sequence.queryPositions) {
      const own = ranks ? ranks.subarray(b * keyLength, (b + 1) * keyLength) : null;
      seen.push(seenByCounts(starts, ends, keyLength, own));
    } else seen.push(rangeSeen(starts, ends, keyLength));
    for (let i = 0; i < rows; i++) ends[i] = (ends[i] as number) - 1;
  }
  const band =
    hidesFirst || hidesLast
      ? {
          first: hidesFirst,
          last: hidesLast,
          perRow,
          emptyRows,
          diagonal: diagonal ? { keys: hidesFirst ? visible.left + 1 : null } : null,
          ranked,
        }
      : null;
  return { entries, batches, rows, ranks, first, last, band, seen };
}

/** The position of an entry's row i; rows past its own repeat the last. */
export function positionOf({ sequence }: Entry, i: number): number {
  const { queryLength } = sequence;
  return sequence.queryPosition(i < queryLength ? i : Math.max(0, queryLength - 1));
}

function areAlike(one: Entry, other: Entry): boolean {
  const [a, b] = [one.sequence, other.sequence];
  return (
    a.keyLength - one.start === b.keyLength - other.start &&
    a.offset - one.start === b.offset - other.start &&
    a.queryLength === b.queryLength &&
    a.queryPositions?.byteOffset === b.queryPositions?.byteOffset &&
    a.keyPositions?.byteOffset === b.keyPositions?.byteOffset &&
    (one.start === other.start || (a.queryPositions ?? a.keyPositions) === null)
  );
}

/** 1 for each key that the only row sees, or all rows, where no rule compares positions. */
function keysOfRow(
  { left, right }: VisibleBand,
  entry: Entry,
  keyLength: number,
  length: number,
  moves: boolean,
): Uint8Array {
  const flags = new Uint8Array(keyLength);
  if (!moves) return flags.fill(1, 0, length);
  const p = positionOf(entry, 0);
  const [low, high] = [p - left, p + right];
  for (let j = 0; j < length; j++) {
    const position = entry.sequence.keyPosition(entry.start + j);
    if (low <= position && position <= high) flags[j] = 1;
  }
  return flags;
}

/** The ranks of an entry's keys, and the range of them that each row sees. */
function rankedRows(
  { left, right }: VisibleBand,
  entry: Entry,
  length: number,
  { ranks, starts, ends }: { ranks: Int32Array; starts: Int32Array; ends: Int32Array },
): void {
  const { sequence, start } = entry;
  // The position and the index in one number, exactly: an array of numbers is sorted without a callback.
  const sorted = new Float64Array(length);
  const size = ranks.length;
  for (let j = 0; j < length; j++) sorted[j] = sequence.keyPosition(start + j) * size + j;
  sorted.sort();
  for (let j = length; j < size; j++) ranks[j] = j;
  for (let rank = 0; rank < length; rank++) {
    const position = Math.floor((sorted[rank] as number) / size);
    ranks[(sorted[rank] as number) - position * size] = rank;
    sorted[rank] = position;
  }
  for (let i = 0; i < starts.length; i++) {
    const p = positionOf(entry, i);
    const from = firstAtLeast(sorted, p - left);
    starts[i] = from;
    ends[i] = Math.max(from, firstAtLeast(sorted, p + right + 1));
  }
}

function firstAtLeast(sorted: Float64Array, least: number): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((sorted[middle] as number) < least) from = middle + 1;
    else to = middle;
  }
  return from;
}

/**
 * The bounds that calls of a problem usually have, for which a plan makes a session in advance: with the last
 * query at the last key, as in a decode loop, unless query 0 may be at key 0; and with lengths that leave some
 * keys out.
 */
export function typicalBand(problem: AttentionProblem): BandSpec | null {
  const { batch, queryLength, keyLength, positions } = problem;
  const visible = visibleBand(problem);
  const perRow = queryLength > 1 && movesWithRows(visible);
  if (positions === "data" && movesWithRows(visible)) {
    const ranked = perRow && problem.keyPositions !== null;
    const first = Number.isFinite(visible.left);
    return { first, last: true, perRow, emptyRows: false, diagonal: null, ranked };
  }
  const offset = positions === "fixed" && queryLength === keyLength ? 0 : keyLength - queryLength;
  const { band } = boundsOf(problem, {
    offsets: new Int32Array(batch).fill(offset),
    kvLengths: new Int32Array(batch).fill(keyLength),
  });
  if (!problem.kvLengths) return band;
  const { first = false, emptyRows = false } = band ?? {};
  // Members in the order in which `boundsOf` has them: equal specs are told by their text.
  return { first, last: true, perRow, emptyRows, diagonal: null, ranked: false };
}
