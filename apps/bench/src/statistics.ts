import { median, quantile } from "simple-statistics";

/** Summary statistics of a set of timings, in milliseconds. */
export interface TimingSummary {
  readonly median: number;
  /** Quartiles: half of the samples lie between them. */
  readonly p25: number;
  readonly p75: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
  /**
   * Samples more than 1.5 times the quartiles' distance away from them (Tukey, 1977). They are kept:
   * the median does not mind, and whoever reads wants to know.
   */
  readonly outliers: number;
}

/** @param samples at least one */
export function summarize(samples: readonly number[]): TimingSummary {
  const values = [...samples];
  const p25 = quantile(values, 0.25);
  const p75 = quantile(values, 0.75);
  const fence = 1.5 * (p75 - p25);
  return {
    median: median(values),
    p25,
    p75,
    min: Math.min(...values),
    max: Math.max(...values),
    count: values.length,
    outliers: values.filter((value) => value < p25 - fence || value > p75 + fence).length,
  };
}

/**
 * The samples of one process. Code is laid out and compiled once a process, so that two processes can
 * differ by more than the spread within either.
 */
export interface LaunchSamples {
  /** `rounds[r]` are the samples taken in round r, in ms. */
  readonly rounds: readonly (readonly number[])[];
  /** Duration of a fixed piece of work beside each round, in ms: how fast the machine was then. */
  readonly yardstick: readonly number[];
  /** Every call by the device's own clock, in ms; left out where it has none. */
  readonly device?: readonly number[] | undefined;
  /**
   * The part of every sample, in ms, spent copying the output into a new array; left out where nothing
   * is copied.
   */
  readonly read?: readonly number[] | undefined;
  /** Calls that each sample is the mean of, where the clock was too coarse for one; 1 if left out. */
  readonly callsPerSample?: number | undefined;
  /** The same call through `attention.run`, in the same rounds; left out where it was not made. */
  readonly attention?: AttentionSamples | undefined;
}

/** Samples of `attention.run` in ms, `[round][sample]`, by where the inputs lie. */
export interface AttentionSamples {
  readonly host: readonly (readonly number[])[];
  readonly resident?: readonly (readonly number[])[] | undefined;
}

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
export function pairedRatio(
  baseline: readonly LaunchSamples[],
  subject: readonly LaunchSamples[],
): PairedRatio | null {
  const ratios: number[] = [];
  for (const [launch, { rounds }] of subject.entries()) {
    for (const [round, samples] of rounds.entries()) {
      const others = baseline[launch]?.rounds[round] ?? [];
      if (samples.length > 0 && others.length > 0) {
        ratios.push(median([...others]) / median([...samples]));
      }
    }
  }
  if (ratios.length === 0) return null;
  return {
    median: median(ratios),
    p25: quantile(ratios, 0.25),
    p75: quantile(ratios, 0.75),
    rounds: ratios.length,
  };
}
