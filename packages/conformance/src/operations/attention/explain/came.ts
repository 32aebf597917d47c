import type { Candidate, Trial } from "./trial.js";

/** Wrong rows that a mistake has to give before it is made as a whole. */
const mostSamples = 6;

function largestOf(numbers: Float64Array): number {
  return numbers.reduce((a, x) => (Number.isFinite(x) ? Math.max(a, Math.abs(x)) : a), 0);
}

/** An output that came, and which of its rows are wrong. */
export class Came {
  /** Some wrong rows, spread over all of them. */
  readonly samples: readonly number[];
  readonly #got: Float64Array;
  readonly #rowSize: number;
  readonly #allowed: number;

  constructor(got: Float64Array, right: Float64Array, shape: readonly number[]) {
    this.#got = got;
    this.#rowSize = shape[3] as number;
    // Mistakes make far larger differences, rounding far smaller ones. Where 0 is right everywhere,
    // what came is all there is to go by.
    this.#allowed = 1e-3 * (largestOf(right) || largestOf(got));
    const rows = this.#rowSize === 0 ? 0 : got.length / this.#rowSize;
    const wrong = Array.from({ length: rows }, (_, row) => row).filter(
      (row) => !this.isRow(row, right.subarray(row * this.#rowSize, (row + 1) * this.#rowSize)),
    );
    const step = Math.max(1, wrong.length / mostSamples);
    this.samples = wrong.filter((_, at) => Math.floor(at / step) > Math.floor((at - 1) / step));
  }

  get nothingWrong(): boolean {
    return this.samples.length === 0;
  }

  isRow(row: number, made: Float64Array | null): boolean {
    return made !== null && made.length === this.#rowSize && this.#is(row * this.#rowSize, made);
  }

  /** Whether it is what a mistake gives: first in some rows, then in all. */
  is(on: Trial, mistake: Candidate): boolean {
    if (!this.samples.every((row) => this.isRow(row, on.make(mistake, row)))) return false;
    const made = on.make(mistake, null);
    // NaN everywhere comes of too many mistakes to name one.
    if (made === null || made.every(Number.isNaN)) return false;
    return made.length === this.#got.length && this.#is(0, made);
  }

  /** Whether all of it is what a mistake gives. */
  isAll(made: Float64Array): boolean {
    return made.length === this.#got.length && !made.every(Number.isNaN) && this.#is(0, made);
  }

  #is(start: number, made: Float64Array): boolean {
    return made.every((y, at) => {
      const x = this.#got[start + at] as number;
      return Object.is(x, y) || Math.abs(x - y) <= this.#allowed;
    });
  }
}
