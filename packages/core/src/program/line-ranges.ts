/** Least and greatest of a range of numbers. */
export interface Range {
  lo: number;
  hi: number;
}

/**
 * Least and greatest numbers of any range of a list in O(log n), by a binary tree over it. NaN counts as
 * no number.
 */
export class LineRanges {
  readonly #leaves: number;
  readonly #least: Float64Array;
  readonly #greatest: Float64Array;

  /** @param at the number at an index `0 ≤ i < length` */
  constructor(length: number, at: (index: number) => number) {
    this.#leaves = length;
    const least = new Float64Array(2 * length);
    const greatest = new Float64Array(2 * length);
    for (let i = 0; i < length; i++) {
      const value = at(i);
      const none = Number.isNaN(value);
      least[length + i] = none ? Number.POSITIVE_INFINITY : value;
      greatest[length + i] = none ? Number.NEGATIVE_INFINITY : value;
    }
    for (let i = length - 1; i > 0; i--) {
      least[i] = Math.min(least[2 * i] as number, least[2 * i + 1] as number);
      greatest[i] = Math.max(greatest[2 * i] as number, greatest[2 * i + 1] as number);
    }
    this.#least = least;
    this.#greatest = greatest;
  }

  /** Widens `range` by the numbers at `from ≤ i ≤ to`. */
  include(range: Range, from: number, to: number): void {
    let { lo, hi } = range;
    const least = this.#least;
    const greatest = this.#greatest;
    for (let l = from + this.#leaves, r = to + this.#leaves + 1; l < r; l >>= 1, r >>= 1) {
      if (l & 1) {
        const a = least[l] as number;
        const b = greatest[l++] as number;
        if (a < lo) lo = a;
        if (b > hi) hi = b;
      }
      if (r & 1) {
        const a = least[--r] as number;
        const b = greatest[r] as number;
        if (a < lo) lo = a;
        if (b > hi) hi = b;
      }
    }
    range.lo = lo;
    range.hi = hi;
  }
}
