import { LineRanges, type Range } from "./line-ranges.js";
import type { TableData } from "./sources.js";

/** Lines of a box that are looked at one by one; boxes of more lines get the range of the whole table. */
const mostLines = 64;
/** Shorter pieces of a line are read element by element. */
const shortPiece = 16;
/** Elements of all trees of a table; 16 bytes each. Beyond, boxes get the range of the whole table. */
const mostElements = 2 ** 20;

/** Least and greatest elements of boxes of a table. */
export class TableRanges {
  readonly #table: TableData;
  readonly #strides: readonly number[];
  readonly #lines = new Map<number, LineRanges>();
  #elements = 0;
  #whole: Range | null = null;
  #nan: boolean | null = null;

  constructor(table: TableData) {
    this.#table = table;
    const strides: number[] = [];
    let stride = 1;
    for (let axis = table.shape.length - 1; axis >= 0; axis--) {
      strides.unshift(stride);
      stride *= table.shape[axis] as number;
    }
    this.#strides = strides;
  }

  /** Whether any element is NaN. */
  get hasNaN(): boolean {
    if (this.#table.dtype !== "float32") return false;
    this.#nan ??= (this.#table.data as Float32Array).some(Number.isNaN);
    return this.#nan;
  }

  /**
   * Widens `range` by the elements of a box, or by more; NaN counts as no number.
   *
   * @param from, to first and last index of each axis, within the table
   */
  include(range: Range, from: ArrayLike<number>, to: ArrayLike<number>): void {
    const rank = this.#strides.length;
    let line = -1;
    let lines = 1;
    let start = 0;
    for (let axis = rank - 1; axis >= 0; axis--) {
      const count = (to[axis] as number) - (from[axis] as number) + 1;
      start += (from[axis] as number) * (this.#strides[axis] as number);
      if (count === 1) continue;
      if (line < 0) line = axis;
      else lines *= count;
    }
    if (line < 0) {
      widen(range, this.#value(start));
    } else if (lines === 1) {
      this.#includeLine(range, line, start, from[line] as number, to[line] as number);
    } else if (lines > mostLines) {
      this.#includeWhole(range);
    } else {
      this.#includeLines(range, line, from, to, 0, 0);
    }
  }

  #includeLines(
    range: Range,
    line: number,
    from: ArrayLike<number>,
    to: ArrayLike<number>,
    axis: number,
    start: number,
  ): void {
    if (axis === this.#strides.length) {
      this.#includeLine(range, line, start, from[line] as number, to[line] as number);
      return;
    }
    const stride = this.#strides[axis] as number;
    const first = from[axis] as number;
    const last = axis === line ? first : (to[axis] as number);
    for (let index = first; index <= last; index++) {
      this.#includeLines(range, line, from, to, axis + 1, start + index * stride);
    }
  }

  /** @param start offset of the piece's first element */
  #includeLine(range: Range, axis: number, start: number, from: number, to: number): void {
    const stride = this.#strides[axis] as number;
    if (to - from < shortPiece) {
      for (let index = from, at = start; index <= to; index++, at += stride) {
        widen(range, this.#value(at));
      }
      return;
    }
    const first = start - from * stride;
    const key = first * this.#strides.length + axis;
    let tree = this.#lines.get(key);
    if (tree === undefined) {
      const size = this.#table.shape[axis] as number;
      if (this.#elements + size > mostElements) {
        this.#includeWhole(range);
        return;
      }
      this.#elements += size;
      tree = new LineRanges(size, (index) => this.#value(first + index * stride));
      this.#lines.set(key, tree);
    }
    tree.include(range, from, to);
  }

  #includeWhole(range: Range): void {
    if (this.#whole === null) {
      const whole = { lo: Number.POSITIVE_INFINITY, hi: Number.NEGATIVE_INFINITY };
      for (let at = 0; at < this.#table.data.length; at++) widen(whole, this.#value(at));
      this.#whole = whole;
    }
    widen(range, this.#whole.lo);
    widen(range, this.#whole.hi);
  }

  #value(at: number): number {
    const value = this.#table.data[at] as number;
    return this.#table.dtype === "bool" && value !== 0 ? 1 : value;
  }
}

function widen(range: Range, value: number): void {
  if (value < range.lo) range.lo = value;
  if (value > range.hi) range.hi = value;
}
