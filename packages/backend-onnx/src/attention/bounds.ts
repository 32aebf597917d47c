import { type AttentionProblem, type BoundPositions, visibleBand } from "@heed/core";
import type { BandSpec } from "./graph/spec.js";

/** Keys `from ≤ j < to`. */
export interface KeyRange {
  readonly from: number;
  readonly to: number;
}

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
  /**
   * `[batches]`: the first and the last row that see any key; null if none does. Ranges only ever
   * move on with the rows, so what is hidden from any row that sees keys is hidden from one of these.
   */
  readonly edgeRows: readonly (readonly [number, number] | null)[];
}

/**
 * Causal, window and lengths as one range of keys a row: `max(0, p − left) ≤ j ≤ min(length − 1, p +
 * right)`.
 */
export function boundsOf(
  problem: AttentionProblem,
  { offsets, kvLengths }: BoundPositions,
): Bounds {
  const { queryLength, keyLength } = problem;
  const { left, right } = visibleBand(problem);
  const alike =
    offsets.every((offset) => offset === offsets[0]) &&
    kvLengths.every((length) => length === kvLengths[0]);
  const batches = alike ? Math.min(1, problem.batch) : problem.batch;
  const perRow = queryLength > 1 && (Number.isFinite(left) || Number.isFinite(right));
  const rows = perRow ? queryLength : 1;
  const first = new Int32Array(batches * rows);
  const last = new Int32Array(batches * rows);
  const seenBySome: KeyRange[] = [];
  const seenByAll: KeyRange[] = [];
  const edgeRows: (readonly [number, number] | null)[] = [];
  let [hidesFirst, hidesLast, emptyRows] = [false, false, false];
  let diagonal = perRow && queryLength === keyLength && left >= 0;
  for (let b = 0; b < batches; b++) {
    const end = (kvLengths[b] as number) - 1;
    let [someFrom, someTo, allFrom, allTo] = [keyLength, 0, 0, keyLength];
    let [firstRow, lastRow] = [-1, -1];
    for (let i = 0; i < rows; i++) {
      const at = b * rows + i;
      const p = i + (offsets[b] as number);
      const from = Math.min(keyLength, Math.max(0, p - left));
      const to = Math.max(-1, Math.min(end, p + right));
      first[at] = from;
      last[at] = to;
      if (from > 0) hidesFirst = true;
      if (to < keyLength - 1) hidesLast = true;
      if (from !== Math.max(0, i - left) || to !== i) diagonal = false;
      if (to < from) emptyRows = true;
      else {
        someFrom = Math.min(someFrom, from);
        someTo = Math.max(someTo, to + 1);
        if (firstRow < 0) firstRow = i;
        lastRow = i;
      }
      allFrom = Math.max(allFrom, from);
      allTo = Math.min(allTo, to + 1);
    }
    seenBySome.push({ from: Math.min(someFrom, someTo), to: someTo });
    seenByAll.push({ from: allFrom, to: Math.max(allFrom, allTo) });
    edgeRows.push(firstRow < 0 ? null : [firstRow, lastRow]);
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
  return { batches, offsets: own, rows, first, last, band, seenBySome, seenByAll, edgeRows };
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
  const perRow = queryLength > 1 && (problem.causal || problem.window !== null);
  const { first = false, emptyRows = false } = band ?? {};
  // Members in the order in which `boundsOf` has them: equal specs are told by their text.
  return { first, last: true, perRow, emptyRows, diagonal: null };
}
