import type { AttentionProblem } from "./problem.js";
import { type KeyRange, positionRange, type VisibleBand, visibleKeys } from "./visibility.js";

/** Integers of a call that say where sequences, their keys and their positions are; null without them. */
export interface BoundTables {
  /**
   * `[sequences, perSequence]`: the page of each run of keys. Every entry that a sequence's length needs
   * is a page; all others are −1.
   */
  readonly pageTable: Int32Array | null;
  /** `[sequences + 1]`: starts of the sequences among the query rows of a ragged batch. */
  readonly queryStarts: Int32Array | null;
  /** `[sequences + 1]`: starts of the sequences among ragged keys. */
  readonly keyStarts: Int32Array | null;
  /** `[rows, queryLength]`, with the problem's number of rows. */
  readonly queryPositions: Int32Array | null;
  /** `[rows, keyLength]`, with the problem's number of rows. */
  readonly keyPositions: Int32Array | null;
}

/** A call's positions and lengths, resolved to one integer a sequence, and its tables. */
export interface BoundPositions extends Partial<BoundTables> {
  /** `[sequences]`: position of query row 0; zeros where no rule needs positions or they are data. */
  readonly offsets: Int32Array;
  /** `[sequences]`: number of existing keys; all of a sequence's keys where `kvLengths` was not given. */
  readonly kvLengths: Int32Array;
}

/** Visits keys that lie one after another; see {@link Sequence.forEachRun}. */
export type VisitKeyRun = (j: number, entry: number, row: number, rows: number) => void;

/** One sequence of a call: its queries, its keys, where they lie and at which positions. Both count within it. */
export class Sequence {
  /** Entry of query and output, and of mask and bias: 0 in a ragged batch. */
  readonly batch: number;
  /** Row of query and output at which its queries start. */
  readonly queryStart: number;
  readonly queryLength: number;
  /** Row of key and value at which its keys start; 0 in pages. */
  readonly keyStart: number;
  /** Keys that exist. */
  readonly keyLength: number;
  /** Position of its query 0 where positions are not data. */
  readonly offset: number;
  /** `[queryLength]`: positions of its queries; null: query i is at i + offset. */
  readonly queryPositions: Int32Array | null;
  /** `[keyLength]`: positions of its keys; null: key j is at j. */
  readonly keyPositions: Int32Array | null;
  readonly #pageSize: number;
  /** Its row of the page table. */
  readonly #pages: Int32Array | null;

  /** @param s number of the sequence, below `problem.sequences` */
  constructor(problem: AttentionProblem, positions: BoundPositions, s: number) {
    const { pages, ragged, queryLength, keyLength } = problem;
    const { queryStarts, keyStarts, pageTable, queryPositions, keyPositions } = positions;
    this.batch = ragged ? 0 : s;
    this.queryStart = queryStarts ? (queryStarts[s] as number) : 0;
    this.queryLength = queryStarts ? (queryStarts[s + 1] as number) - this.queryStart : queryLength;
    this.keyStart = keyStarts ? (keyStarts[s] as number) : 0;
    this.keyLength = positions.kvLengths[s] as number;
    this.offset = positions.offsets[s] as number;
    // Tables have a row for all or one a sequence; starts divide the only row of a ragged batch.
    const queryRow = problem.queryPositions === 1 ? 0 : s * queryLength;
    const keyRow = problem.keyPositions === 1 ? 0 : s * keyLength;
    this.queryPositions = part(queryPositions, queryRow + this.queryStart, this.queryLength);
    this.keyPositions = part(keyPositions, keyRow + this.keyStart, this.keyLength);
    this.#pageSize = pages ? pages.size : 0;
    this.#pages = pages ? part(pageTable, s * pages.perSequence, pages.perSequence) : null;
  }

  /** The position p of query i. */
  queryPosition(i: number): number {
    return this.queryPositions ? (this.queryPositions[i] as number) : i + this.offset;
  }

  /** The position κ of key j. */
  keyPosition(j: number): number {
    return this.keyPositions ? (this.keyPositions[j] as number) : j;
  }

  /** The least and the largest position of the queries `from ≤ i < to`, of which there is one. */
  positionsOf(from: number, to: number): { readonly first: number; readonly last: number } {
    if (this.queryPositions) return positionRange(this.queryPositions, from, to);
    return { first: from + this.offset, last: to - 1 + this.offset };
  }

  /**
   * The smallest range of keys outside of which no query at positions `first` to `last` sees anything.
   * Keys at positions of their own may be hidden within it, too.
   */
  keysInSight(band: VisibleBand, first: number, last: number): KeyRange {
    const { keyLength, keyPositions } = this;
    if (keyPositions === null) return visibleKeys(band, keyLength, first, last);
    const low = first - band.left;
    const high = last + band.right;
    let start = 0;
    while (start < keyLength && isOutside(keyPositions[start] as number, low, high)) start++;
    let end = keyLength;
    while (end > start && isOutside(keyPositions[end - 1] as number, low, high)) end--;
    return { start, end };
  }

  /**
   * The positions of the keys `tile.start ≤ j < tile.end`, as the range from the least to behind the
   * largest: `tileVisibility` and `rowsSeeing` take it for a tile.
   */
  tilePositions(tile: KeyRange): KeyRange {
    if (this.keyPositions === null || tile.end <= tile.start) return tile;
    const { first, last } = positionRange(this.keyPositions, tile.start, tile.end);
    return { start: first, end: last + 1 };
  }

  /**
   * Visits the keys `from ≤ j < to` in runs that lie one after another in memory: all of them, or what
   * is in one page.
   *
   * @param to at most the number of keys that exist
   * @param visit gets the run's first key j, and its `rows` rows from row `row` of entry `entry` of key,
   *   value and scales
   */
  forEachRun(from: number, to: number, visit: VisitKeyRun): void {
    if (to <= from) return;
    if (this.#pages === null) {
      visit(from, this.batch, this.keyStart + from, to - from);
      return;
    }
    const size = this.#pageSize;
    for (let j = from; j < to; ) {
      const page = Math.floor(j / size);
      const row = j - page * size;
      const rows = Math.min(size - row, to - j);
      visit(j, this.#pages[page] as number, row, rows);
      j += rows;
    }
  }
}

function part(table: Int32Array | null | undefined, from: number, count: number) {
  return table ? table.subarray(from, from + count) : null;
}

function isOutside(position: number, low: number, high: number): boolean {
  return position < low || position > high;
}
