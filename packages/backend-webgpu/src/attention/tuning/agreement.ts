import type { HostTensor } from "@heed/core";
import { toFloat64 } from "@heed/core";

/**
 * Largest difference of an element, as a part of the largest magnitude in its row, up to which results agree. Kernels
 * sum in float32 in different orders, and some round weights to float16; a key that is left out or counted twice
 * changes a row by far more.
 */
const tolerances: Readonly<Record<string, number>> = { float32: 1e-3, float16: 2e-2 };

/** A result to compare others with. */
export class Expected {
  readonly #name: string;
  readonly #values: Float64Array;
  readonly #rowLength: number;
  readonly #tolerance: number;

  constructor(name: string, t: HostTensor) {
    this.#name = name;
    this.#values = toFloat64(t);
    // Log-sum-exps and weights are compared by their own magnitude.
    this.#rowLength = Math.max(1, t.shape.at(-1) ?? 1);
    this.#tolerance = tolerances[t.dtype] ?? 1e-3;
  }

  /** Why this is of no use to compare with, in words; null if it is. */
  useless(): string | null {
    let some = false;
    for (const value of this.#values) {
      if (Number.isNaN(value)) return `${this.#name} of the rule's choice has NaN`;
      if (value !== 0) some = true;
    }
    return some ? null : `${this.#name} is all zeros`;
  }

  /** How another result differs, in words; null if it agrees. */
  difference(t: HostTensor): string | null {
    const got = toFloat64(t);
    const name = this.#name;
    if (got.length !== this.#values.length) return `${name} has another number of elements`;
    const length = this.#rowLength;
    for (let first = 0; first < got.length; first += length) {
      let largest = 0;
      let worst = 0;
      for (let i = first; i < first + length; i++) {
        const [expected, actual] = [this.#values[i], got[i]] as [number, number];
        // Also of two equal infinities, as of the log-sum-exps of empty rows.
        if (expected === actual) {
          if (Number.isFinite(expected)) largest = Math.max(largest, Math.abs(expected));
          continue;
        }
        const error = Math.abs(actual - expected);
        if (!Number.isFinite(error)) return `${name} is ${actual} instead of ${expected}`;
        largest = Math.max(largest, Math.abs(expected));
        worst = Math.max(worst, error);
      }
      if (worst > this.#tolerance * largest) {
        const row = first / length;
        const off = worst.toExponential(1);
        return `${name} differs in row ${row}: by ${off}, where the largest element is ${largest.toExponential(1)}`;
      }
    }
    return null;
  }
}
