import {
  type AttentionProblem,
  type BoundPositions,
  type KeyRange,
  type VisibleBand,
  visibleBand,
  visibleKeys,
} from "@heed/core";
import type { BandSpec } from "./graph/spec.js";

/** The keys that the position rules of a call leave to each row. */
export interface Bounds {
  /** 1 where all batches are alike, else the batch size. */
  readonly batches: number;
  /** `[batches]`: position of the first row on the key axis. */
  readonly offsets: Int32Array;
  /** 1 where a batch's rows all see the same keys, else queryLength. */
  readonly rows: number;
  /** `[batches, rows]`: first and last key of each row, within the keys; empty if last < first. */
  readonly first: Int32Array;
  readonly last: Int32Array;
  /** The bounds that hide any key; null if every row sees every key. */
  readonly band: BandSpec | null;
  /** `[batches]`: outside of it no row sees a key. */
  readonly seenBySome: readonly KeyRange[];
  /** `[batches]`: in it every row sees every key. */
  readonly seenByAll: readonly KeyRange[];
}

/** Whether rows at different positions see different keys: with a causal rule or a window. */
export function movesWithRows({ left, right }: VisibleBand): boolean {
  return Number.isFinite(left) || Number.isFinite(right);
}

/** Causal, window and lengths as one range of keys a row: `visibleKeys` of core. */
export function boundsOf(
  problem: AttentionProblem,
  { offsets, kvLengths }: BoundPositions,
): Bounds {
  const { queryLength, keyLength } = problem;
  const visible = visibleBand(problem);
  const { left } = visible;
  const alike =
    offsets.every((offset) => offset === offsets[0]) &&
    kvLengths.every((length) => length === kvLengths[0]);
  const batches = alike ? Math.min(1, problem.batch) : problem.batch;
  const perRow = queryLength > 1 && movesWithRows(visible);
  const rows = perRow ? queryLength : 1;
  const first = new Int32Array(batches * rows);
  const last = new Int32Array(batches * rows);
  const seenBySome: KeyRange[] = [];
  const seenByAll: KeyRange[] = [];
  let [hidesFirst, hidesLast, emptyRows] = [false, false, false];
  let diagonal = perRow && queryLength === keyLength && left >= 0;
  for (let b = 0; b < batches; b++) {
    const length = kvLengths[b] as number;
    let [someStart, someEnd, allStart, allEnd] = [keyLength, 0, 0, keyLength];
    for (let i = 0; i < rows; i++) {
      const at = b * rows + i;
      const { start, end } = visibleKeys(visible, length, i + (offsets[b] as number));
      first[at] = start;
      last[at] = end - 1;
      if (start > 0) hidesFirst = true;
      if (end < keyLength) hidesLast = true;
      if (start !== Math.max(0, i - left) || end !== i + 1) diagonal = false;
      if (end === start) emptyRows = true;
      else {
        someStart = Math.min(someStart, start);
        someEnd = Math.max(someEnd, end);
      }
      allStart = Math.max(allStart, start);
      allEnd = Math.min(allEnd, end);
    }
    seenBySome.push({ start: Math.min(someStart, someEnd), end: someEnd });
    seenByAll.push({ start: allStart, end: Math.max(allStart, allEnd) });
  }
  const band =
    hidesFirst || hidesLast
      ? {
          first: hidesFirst,
          last: hidesLast,
          perRow,
          emptyRows,
          diagonal: diagonal ? { keys: hidesFirst ? left + 1 : null } : null,
        }
      : null;
  const own = offsets.subarray(0, batches);
  return { batches, offsets: own, rows, first, last, band, seenBySome, seenByAll };
}

/**
 * The bounds that calls of a problem usually have, for which a plan makes a session in advance: with the last
 * query at the last key, as in a decode loop, unless query 0 may be at key 0; and with lengths that leave some
 * keys out.
 */
export function typicalBand(problem: AttentionProblem): BandSpec | null {
  const { batch, queryLength, keyLength, positions } = problem;
  const offset = positions === "fixed" && queryLength === keyLength ? 0 : keyLength - queryLength;
  const { band } = boundsOf(problem, {
    offsets: new Int32Array(batch).fill(offset),
    kvLengths: new Int32Array(batch).fill(keyLength),
  });
  if (!problem.kvLengths) return band;
  const perRow = queryLength > 1 && movesWithRows(visibleBand(problem));
  const { first = false, emptyRows = false } = band ?? {};
  // Members in the order in which `boundsOf` has them: equal specs are told by their text.
  return { first, last: true, perRow, emptyRows, diagonal: null };
}
