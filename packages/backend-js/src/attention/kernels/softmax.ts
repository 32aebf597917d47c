import { expFloat32, powers, stepLength, stepsOfOne, tableSteps } from "../exp.js";

/** Each row's softmax so far: its largest logit, and the sum of exponentials relative to it. */
export interface RowStatistics {
  /** −∞ while the row has seen no key, or none but NaN. */
  readonly max: Float64Array;
  /** NaN once the row has seen a logit of NaN or +∞; it then stays NaN. */
  readonly sum: Float64Array;
  /** Whether a row of the tile at hand does not see all of its keys. Cleared by the caller. */
  hidden: boolean;
  /** Factor of exact weights where they multiply values; `sum` lacks it. */
  weightFactor: number;
}

/**
 * One step of the online softmax (Milakov & Gimelshein, 2018, arXiv:1805.02867): turns a row's
 * logits in a tile into weights relative to the row's largest logit so far, and brings its sum and
 * its output, from earlier tiles, to the same scale.
 *
 * @param logits the row's are at `at`, `at + step`, …; −∞ is hidden and becomes exactly −0, while the
 *   weight of a visible key is NaN or at least +0, so that both can be told apart
 * @param statistics `hidden` is set if the row does not see all keys
 * @param output the row is at `to`, `size` long
 * @param exact whether `Math.exp` is needed (float64), and sums of values may overflow
 * @returns whether the row sees any key of the tile; if not, all weights are −0
 */
export function softmaxStep(
  logits: number[],
  at: number,
  step: number,
  keys: number,
  statistics: RowStatistics,
  row: number,
  output: number[],
  to: number,
  size: number,
  exact: boolean,
): boolean {
  const end = (at + keys * step) | 0;
  let seen = Number.NEGATIVE_INFINITY;
  for (let j = at; j < end; j = (j + step) | 0) {
    const s = logits[j] as number;
    if (s > seen) seen = s;
  }
  if (seen === Number.NEGATIVE_INFINITY) {
    return withoutNumbers(logits, at, step, end, statistics, row);
  }
  const before = statistics.max[row] as number;
  if (seen > before) {
    statistics.max[row] = seen;
    if (before !== Number.NEGATIVE_INFINITY) {
      const factor = exact ? Math.exp(before - seen) : expFloat32(before - seen);
      (statistics.sum[row] as number) *= factor;
      for (let c = to; c < to + size; c++) (output[c] as number) *= factor;
    }
  }
  const max = Math.max(before, seen);
  (statistics.sum[row] as number) += exact
    ? exponentiate64(logits, at, step, end, max, statistics)
    : exponentiate32(logits, at, step, end, max, statistics);
  return true;
}

/** The step where a row's logits in a tile are all −∞ or NaN. */
function withoutNumbers(
  logits: number[],
  at: number,
  step: number,
  end: number,
  statistics: RowStatistics,
  row: number,
): boolean {
  let seen = false;
  for (let j = at; j < end; j += step) {
    if (Number.isNaN(logits[j])) {
      seen = true;
      statistics.sum[row] = Number.NaN;
    } else {
      logits[j] = -0;
      statistics.hidden = true;
    }
  }
  return seen;
}

/** `expFloat32` is written out here: SpiderMonkey calls it otherwise, and takes twice as long. */
function exponentiate32(
  logits: number[],
  at: number,
  step: number,
  end: number,
  max: number,
  statistics: RowStatistics,
): number {
  let sum = 0;
  for (let j = at; j < end; j = (j + step) | 0) {
    const s = logits[j] as number;
    const y = (s - max) * stepsOfOne;
    let weight = 0;
    if (y > -tableSteps) {
      const n = (0.5 - y) | 0;
      const r = (y + n) * stepLength;
      weight = (powers[n] as number) * (1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24)))));
    } else if (s === Number.NEGATIVE_INFINITY) {
      weight = -0;
      statistics.hidden = true;
    } else if (Number.isNaN(y)) {
      weight = y;
    }
    logits[j] = weight;
    sum += weight;
  }
  return sum;
}

function exponentiate64(
  logits: number[],
  at: number,
  step: number,
  end: number,
  max: number,
  statistics: RowStatistics,
): number {
  let sum = 0;
  for (let j = at; j < end; j += step) {
    const s = logits[j] as number;
    if (s === Number.NEGATIVE_INFINITY) {
      logits[j] = -0;
      statistics.hidden = true;
      continue;
    }
    const weight = Math.exp(s - max);
    logits[j] = weight * statistics.weightFactor;
    sum += weight;
  }
  return sum;
}
