import type { ProgramBox } from "./intervals.js";
import { LineRanges, type Range } from "./line-ranges.js";

/** Positions of one batch entry, or of one sequence of a ragged batch: a `Sequence` of a call is one. */
export interface BoxPositions {
  /** Position of query 0, if queries have no positions as data. */
  readonly offset: number;
  /** Positions of queries as data; null: query i is at i + offset. */
  readonly queryPositions: Int32Array | null;
  /** Positions of keys as data; null: key j is at j. */
  readonly keyPositions: Int32Array | null;
}

/** The box of a program's variables over a block of queries and keys: what interval arithmetic looks at. */
export class ProgramBoxes {
  /** The present box. Setters change it in place. */
  readonly box: ProgramBox = {
    batch: { lo: 0, hi: 0 },
    head: { lo: 0, hi: 0 },
    query: { lo: 0, hi: 0 },
    key: { lo: 0, hi: 0 },
    queryIndex: { lo: 0, hi: 0 },
    keyIndex: { lo: 0, hi: 0 },
  };
  #offset = 0;
  readonly #queries = new PositionRanges();
  readonly #keys = new PositionRanges();

  /** Starts a batch entry. Its tables of positions must not change as long as they are used here. */
  setBatch(batch: number, { offset, queryPositions, keyPositions }: BoxPositions): void {
    this.box.batch.lo = this.box.batch.hi = batch;
    this.#offset = offset;
    this.#queries.positions = queryPositions;
    this.#keys.positions = keyPositions;
  }

  /** Heads `from ≤ h < to`. */
  setHeads(from: number, to: number): void {
    this.box.head.lo = from;
    this.box.head.hi = to - 1;
  }

  /** Queries `from ≤ i < to`, at least one. */
  setQueries(from: number, to: number): void {
    const { query, queryIndex } = this.box;
    queryIndex.lo = from;
    queryIndex.hi = to - 1;
    this.#queries.write(query, from, to, this.#offset);
  }

  /** Keys `from ≤ j < to`, at least one. */
  setKeys(from: number, to: number): void {
    const { key, keyIndex } = this.box;
    keyIndex.lo = from;
    keyIndex.hi = to - 1;
    this.#keys.write(key, from, to, 0);
  }
}

/** Ranges of a table of positions, whose tree is made at first use and kept as long as the table is the same. */
class PositionRanges {
  #positions: Int32Array | null = null;
  #tree: LineRanges | null = null;

  set positions(positions: Int32Array | null) {
    if (positions === this.#positions) return;
    this.#positions = positions;
    this.#tree = null;
  }

  write(range: Range, from: number, to: number, offset: number): void {
    const positions = this.#positions;
    if (positions === null) {
      range.lo = from + offset;
      range.hi = to - 1 + offset;
      return;
    }
    this.#tree ??= new LineRanges(positions.length, (i) => positions[i] as number);
    range.lo = Number.POSITIVE_INFINITY;
    range.hi = Number.NEGATIVE_INFINITY;
    this.#tree.include(range, from, to - 1);
  }
}
