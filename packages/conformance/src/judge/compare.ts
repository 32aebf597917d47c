import type { FloatDType } from "@heed/core";
import type { Leniency } from "./leniency.js";
import { finiteOr0, largestNumber } from "./roundoff.js";
import type { WorstElement } from "./verdict.js";

export interface ComparisonInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly rowSize: number;
  readonly dtype: FloatDType;
  readonly got: Float64Array;
  readonly expected: Float64Array;
  readonly naive: Float64Array;
  /** Exact values that the naive evaluation's error is measured against. */
  readonly oracle: Float64Array;
  /** Allowed error, as a multiple of the naive evaluation's largest error in the row. */
  readonly factor: number;
  /** Absolute error allowed on top of that, for an element of a row. */
  readonly floor: (row: number, expected: number) => number;
  /** Other values accepted at a flat index of a row. Default `"none"`. */
  readonly leniency?: (row: number, at: number) => Leniency;
}

export interface Comparison {
  readonly worst: WorstElement | null;
  readonly nmse: number;
  /** Rows whose error is larger than allowed. */
  readonly wrongRows: readonly number[];
  readonly name: string;
  readonly shape: readonly number[];
}

/** Compares row by row. Beyond the dtype's range ±∞ and the largest value pass. */
export function compareRows(input: ComparisonInput): Comparison {
  const { got, expected, naive, oracle, rowSize, factor, dtype, leniency } = input;
  let worst: WorstElement | null = null;
  const wrongRows: number[] = [];
  const allowed = (row: number, at: number, naiveError: number): number =>
    factor * finiteOr0(naiveError) + input.floor(row, expected[at] as number);
  let errorSquares = 0;
  let squares = 0;
  for (let start = 0, row = 0; start < got.length; start += rowSize, row++) {
    let naiveError = 0;
    for (let at = start; at < start + rowSize; at++) {
      if (leniency !== undefined && leniency(row, at) !== "none") continue;
      naiveError = Math.max(naiveError, distance(naive[at], oracle[at], dtype));
    }
    for (let at = start; at < start + rowSize; at++) {
      const lenient = leniency?.(row, at) ?? "none";
      if (lenient === "anything") continue;
      if (lenient === "not-finite" && mayStand(got[at], expected[at])) continue;
      const error = distance(got[at], expected[at], dtype);
      const budgets = error === 0 ? 0 : error / allowed(row, at, naiveError);
      if (!(budgets <= 1) && wrongRows.at(-1) !== row) wrongRows.push(row);
      if (worst === null || budgets > worst.budgets || Number.isNaN(budgets)) {
        worst = {
          output: input.name,
          index: unravel(at, input.shape),
          expected: expected[at] as number,
          got: got[at] as number,
          budgets: Number.isNaN(budgets) ? Number.POSITIVE_INFINITY : budgets,
        };
      }
      if (Number.isFinite(expected[at])) {
        errorSquares += Number.isFinite(error) ? error * error : Number.POSITIVE_INFINITY;
        squares += (expected[at] as number) ** 2;
      }
    }
  }
  const nmse = errorSquares === 0 ? 0 : errorSquares / squares;
  return { worst, nmse, wrongRows, name: input.name, shape: input.shape };
}

/** Whether a number that is not finite may stand for another: only NaN stands for NaN. */
function mayStand(got: unknown, expected: unknown): boolean {
  return Number.isNaN(got) || (!Number.isFinite(got) && !Number.isNaN(expected));
}

function distance(got: unknown, expected: unknown, dtype: FloatDType): number {
  const [a, e] = [got as number, expected as number];
  if (Object.is(a, e) || a === e) return 0;
  const limit = largestNumber[dtype];
  if (Math.abs(e) >= limit && a * Math.sign(e) >= limit) return 0;
  const difference = Math.abs(a - e);
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}

function unravel(at: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = at;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return index;
}
