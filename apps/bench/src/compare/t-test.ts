/// <reference path="./jstat.d.ts" />
import jstat from "jstat";
import { mean, sampleVariance } from "simple-statistics";

/**
 * How likely it is that two samples of the same mean differ so much (Welch, 1947: their variances
 * need not be the same).
 *
 * @returns two-sided p; null for samples without a variance
 */
export function welch(a: readonly number[], b: readonly number[]): number | null {
  if (a.length < 2 || b.length < 2) return null;
  const [x, y] = [a, b].map((sample) => ({
    mean: mean([...sample]),
    square: sampleVariance([...sample]) / sample.length,
    n: sample.length,
  })) as [Moments, Moments];
  const square = x.square + y.square;
  const freedom = square ** 2 / (x.square ** 2 / (x.n - 1) + y.square ** 2 / (y.n - 1));
  return twoSided((x.mean - y.mean) / Math.sqrt(square), freedom);
}

interface Moments {
  readonly mean: number;
  /** Square of the mean's standard error. */
  readonly square: number;
  readonly n: number;
}

/**
 * How likely it is that a sample of mean 0 is so far from it (Student, 1908).
 *
 * @returns two-sided p; null for a sample without a variance
 */
export function student(sample: readonly number[]): number | null {
  if (sample.length < 2) return null;
  const error = Math.sqrt(sampleVariance([...sample]) / sample.length);
  return twoSided(mean([...sample]) / error, sample.length - 1);
}

function twoSided(t: number, freedom: number): number {
  // Samples that do not vary: the means are the same, or they are not.
  if (!Number.isFinite(t)) return Number.isNaN(t) ? 1 : 0;
  return 2 * jstat.studentt.cdf(-Math.abs(t), freedom);
}
