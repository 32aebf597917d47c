import { expFloat32 } from "../exp.js";

/** A row's softmax so far: the largest logit, and the sum of exponentials relative to it. */
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
 * @param logits the row is at `at`, `keys` long; −∞ (or NaN) is hidden and becomes exactly 0
 * @param output the row is at `to`, `size` long
 * @param exact whether `Math.exp` is needed (float64)
 * @returns whether the row sees any key of the tile; if not, all weights are 0
 */
export function softmaxStep(
  logits: Float64Array,
  at: number,
  keys: number,
  statistics: RowStatistics,
  row: number,
  output: Float64Array,
  to: number,
  size: number,
  exact: boolean,
): boolean {
  const before = statistics.max[row] as number;
  let max = before;
  let seen = Number.NEGATIVE_INFINITY;
  for (let j = at; j < at + keys; j++) {
    const s = logits[j] as number;
    if (s > seen) seen = s;
  }
  if (seen === Number.NEGATIVE_INFINITY) {
    logits.fill(0, at, at + keys);
    return false;
  }
  if (seen > max) {
    max = seen;
    statistics.max[row] = max;
    if (before !== Number.NEGATIVE_INFINITY) {
      const factor = exact ? Math.exp(before - max) : expFloat32(before - max);
      (statistics.sum[row] as number) *= factor;
      for (let c = to; c < to + size; c++) (output[c] as number) *= factor;
    }
  }
  let sum = 0;
  if (exact) {
    for (let j = at; j < at + keys; j++) {
      const s = logits[j] as number;
      const weight = s > Number.NEGATIVE_INFINITY ? Math.exp(s - max) : 0;
      logits[j] = weight;
      sum += weight;
    }
  } else {
    for (let j = at; j < at + keys; j++) {
      const weight = expFloat32((logits[j] as number) - max);
      logits[j] = weight;
      sum += weight;
    }
  }
  (statistics.sum[row] as number) += sum;
  return true;
}
