import { median, quantile } from "simple-statistics";

/** What a set of timings says. Milliseconds. */
export interface TimingSummary {
  readonly median: number;
  /** Quartiles: half of the samples lie between them. */
  readonly p25: number;
  readonly p75: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** @param samples at least one */
export function summarize(samples: readonly number[]): TimingSummary {
  const values = [...samples];
  return {
    median: median(values),
    p25: quantile(values, 0.25),
    p75: quantile(values, 0.75),
    min: Math.min(...values),
    max: Math.max(...values),
    count: values.length,
  };
}

/** Samples by round: `rounds[r]` are those taken in round r. */
export type RoundSamples = readonly (readonly number[])[];

/** How many times as fast as another, by rounds in which both were measured. */
export interface PairedRatio {
  readonly median: number;
  readonly p25: number;
  readonly p75: number;
  /** Rounds that both took part in. */
  readonly rounds: number;
}

/**
 * `baseline`'s time over `subject`'s, so that more than 1 is faster than the baseline. Each round
 * gives one ratio of two medians taken moments apart, and the ratios' median is what is said: a
 * machine that slows down for a while slows both sides of a pair.
 *
 * @returns null where no round has both
 */
export function pairedRatio(baseline: RoundSamples, subject: RoundSamples): PairedRatio | null {
  const ratios: number[] = [];
  for (let r = 0; r < Math.min(baseline.length, subject.length); r++) {
    const a = baseline[r] ?? [];
    const b = subject[r] ?? [];
    if (a.length > 0 && b.length > 0) ratios.push(median([...a]) / median([...b]));
  }
  if (ratios.length === 0) return null;
  return {
    median: median(ratios),
    p25: quantile(ratios, 0.25),
    p75: quantile(ratios, 0.75),
    rounds: ratios.length,
  };
}
