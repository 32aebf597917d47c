import { expFloat32 } from "../exp.js";

/** Each row's softmax so far: its largest logit, and the sum of exponentials relative to it. */
export interface RowStatistics {
  /** −∞ while the row has seen no key. */
  readonly max: Float64Array;
  readonly sum: Float64Array;
}

/**
 * One step of the online softmax (Milakov & Gimelshein, 2018, arXiv:1805.02867): turns a row's
 * logits in a tile into weights relative to the row's largest logit so far, and brings its sum and
 * its output, from earlier tiles, to the same scale.
 *
 * @param logits the row's are at `at`, `at + step`, …; −∞ (or NaN) is hidden and becomes exactly 0
 * @param output the row is at `to`, `size` long
 * @param exact whether `Math.exp` is needed (float64)
 * @returns whether the row sees any key of the tile; if not, all weights are 0
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
    for (let j = at; j < end; j += step) logits[j] = 0;
    return false;
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
    ? exponentiate64(logits, at, step, end, max)
    : exponentiate32(logits, at, step, end, max);
  return true;
}

function exponentiate32(
  logits: number[],
  at: number,
  step: number,
  end: number,
  max: number,
): number {
  let sum = 0;
  for (let j = at; j < end; j = (j + step) | 0) {
    const weight = expFloat32((logits[j] as number) - max);
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
): number {
  let sum = 0;
  for (let j = at; j < end; j += step) {
    const s = logits[j] as number;
    const weight = s > Number.NEGATIVE_INFINITY ? Math.exp(s - max) : 0;
    logits[j] = weight;
    sum += weight;
  }
  return sum;
}
