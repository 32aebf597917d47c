/// <reference path="./jstat.d.ts" />
import jstat from "jstat";
import { mean, sampleVariance } from "simple-statistics";

/** A confidence interval. */
export type Interval = readonly [low: number, high: number];

/** Test of the difference between two samples' means, the second's less the first's. */
export interface Difference {
  /** How likely it is for samples of the same mean to differ so much, two-sided. */
  readonly p: number;
  /** Holds the true difference in 95 of 100 cases. */
  readonly interval: Interval;
}

const confidence = 0.95;

/**
 * Compares two means (Welch, 1947: their samples' variances need not be the same).
 *
 * @returns null for samples without a variance
 */
export function welch(a: readonly number[], b: readonly number[]): Difference | null {
  if (a.length < 2 || b.length < 2) return null;
  const [x, y] = [a, b].map((sample) => ({
    mean: mean([...sample]),
    square: sampleVariance([...sample]) / sample.length,
    n: sample.length,
  })) as [Moments, Moments];
  const square = x.square + y.square;
  const freedom = square ** 2 / (x.square ** 2 / (x.n - 1) + y.square ** 2 / (y.n - 1));
  const difference = y.mean - x.mean;
  return {
    p: twoSided(difference / Math.sqrt(square), freedom),
    interval: around(difference, Math.sqrt(square), freedom),
  };
}

interface Moments {
  readonly mean: number;
  /** Square of the mean's standard error. */
  readonly square: number;
  readonly n: number;
}

/** A sample's trimmed mean, with its test against 0. */
export interface Middle {
  readonly value: number;
  /** How likely it is to be so far from 0 by chance, two-sided; null without a variance. */
  readonly p: number | null;
  /** Holds the true middle in 95 of 100 cases; null without a variance. */
  readonly interval: Interval | null;
}

/** Fraction of a sample that is trimmed at either end. */
const trim = 0.2;

/**
 * The mean without a fifth of the sample at either end, and its t-test (Yuen, 1974; Tukey and
 * McLaughlin, 1963): a few values that are far out neither make a difference nor hide one. Below five
 * values nothing is left out, and it is Student's.
 *
 * @param sample at least one
 */
export function trimmedMean(sample: readonly number[]): Middle {
  const sorted = [...sample].sort((a, b) => a - b);
  const n = sorted.length;
  const out = Math.floor(trim * n);
  const value = mean(sorted.slice(out, n - out));
  if (n < 2) return { value, p: null, interval: null };
  // Winsorized: each trimmed value is replaced by the nearest one that is kept.
  const [low, high] = [sorted[out] as number, sorted[n - out - 1] as number];
  const winsorized = sorted.map((x) => Math.min(high, Math.max(low, x)));
  const error = Math.sqrt(sampleVariance(winsorized) / n) / (1 - (2 * out) / n);
  const freedom = n - 2 * out - 1;
  return { value, p: twoSided(value / error, freedom), interval: around(value, error, freedom) };
}

function around(value: number, error: number, freedom: number): Interval {
  // Without any spread there are no degrees of freedom to speak of, and nothing to allow for.
  const t = error === 0 ? 0 : jstat.studentt.inv((1 + confidence) / 2, freedom);
  return [value - t * error, value + t * error];
}

function twoSided(t: number, freedom: number): number {
  // Samples that do not vary: the means are the same, or they are not.
  if (!Number.isFinite(t)) return Number.isNaN(t) ? 1 : 0;
  return 2 * jstat.studentt.cdf(-Math.abs(t), freedom);
}
