import { LOWEST } from "../../math/constants";
import {
  exp2,
  exp2C1,
  exp2C2,
  exp2C3,
  exp2C4,
  exp2C5,
  exp2Magic,
  exp2One,
  exp2Scalar,
  exp2Times,
  lowestOf,
} from "../../math/exp2";
import { maxLanes, sumLanes } from "../../math/simd";

// Steps of the online softmax (Milakov & Gimelshein, 2018, arXiv:1805.02867) on a tile: the maxima rise
// to those of the tile, its scores become weights 2^(factor · (s − max)), and these are added to the sums.
// Sums are rescaled to the new maxima here, outputs where the tile's values are added: the factors for them
// are stored after the weights.
//
// The factor is the scale times log₂ e, or log₂ e alone. It is applied to differences, once a score. Applied
// to the queries in advance it would be free, but round every element of them, and a logit of 10⁴ would be
// off by some thousandths; applied to scores before the maximum is subtracted, it could overflow.
//
// Maxima pass over NaN. A NaN score still makes its weight NaN, and with it the row's sum and output, and so
// does a score of +∞, since ∞ − ∞ is NaN.

/**
 * For the rows of a panel, which are lanes, so that nothing is shuffled: all eight, or the first four.
 *
 * @param scores `[keys, 8]`; afterwards weights, and the rescaling factors `[8]` after them
 * @param factor > 0 and finite
 * @param max `[8]`, in the scores' units
 * @param sum `[8]`
 */
export function panelSoftmax(
  scores: usize,
  keys: i32,
  factor: f32,
  max: usize,
  sum: usize,
  half: bool,
): void {
  columnSoftmax(scores, 32, keys, factor, max, sum);
  if (!half) columnSoftmax(scores + 16, 32, keys, factor, max + 16, sum + 16);
}

/** For four rows, which are lanes: `scores[j][r]`, `step` bytes from key to key, `max[r]`, `sum[r]`. */
export function columnSoftmax(
  scores: usize,
  step: usize,
  keys: i32,
  factor: f32,
  max: usize,
  sum: usize,
): void {
  const end = scores + step * <usize>keys;
  const factors = f32x4.splat(factor);
  const before = v128.load(max);
  // Four keys at once: a maximum waits for the one before it, for four cycles on Intel's cores.
  let max0 = before;
  let max1 = before;
  let max2 = before;
  let max3 = before;
  let p = scores;
  const fours = scores + step * <usize>(keys & -4);
  while (p < fours) {
    max0 = f32x4.pmax(max0, v128.load(p));
    p += step;
    max1 = f32x4.pmax(max1, v128.load(p));
    p += step;
    max2 = f32x4.pmax(max2, v128.load(p));
    p += step;
    max3 = f32x4.pmax(max3, v128.load(p));
    p += step;
  }
  while (p < end) {
    max0 = f32x4.pmax(max0, v128.load(p));
    p += step;
  }
  const now = f32x4.pmax(f32x4.pmax(max0, max1), f32x4.pmax(max2, max3));
  let total = v128.load(sum);
  let rescaling = f32x4.splat(1);
  if (!i32x4.all_true(f32x4.eq(before, now))) {
    v128.store(max, now);
    rescaling = exp2(f32x4.mul(f32x4.sub(before, now), factors));
    total = f32x4.mul(total, rescaling);
  }
  v128.store(end, rescaling);
  v128.store(sum, f32x4.add(total, weigh(scores, end, step, factors, now)));
}

/**
 * For one row, whose keys are lanes.
 *
 * @param scores `[keys]`, padded to a multiple of four with −∞; afterwards weights, and the rescaling factor
 *   after them
 * @param max one float32, as is `sum`
 */
export function singleSoftmax(
  scores: usize,
  keys: i32,
  factor: f32,
  max: usize,
  sum: usize,
): void {
  const end = scores + 16 * <usize>((keys + 3) >> 2);
  const before = load<f32>(max);
  let lanes = f32x4.splat(before);
  let p = scores;
  while (p < end) {
    lanes = f32x4.pmax(lanes, v128.load(p));
    p += 16;
  }
  const now = maxLanes(lanes);
  let total = load<f32>(sum);
  let rescaling: f32 = 1;
  if (now != before) {
    store<f32>(max, now);
    rescaling = exp2Scalar((before - now) * factor);
    total *= rescaling;
  }
  store<f32>(end, rescaling);
  const sums = weigh(scores, end, 16, f32x4.splat(factor), f32x4.splat(now));
  store<f32>(sum, total + sumLanes(sums));
}

/**
 * For four rows whose maxima and denominators are known: weights that are divided already. Hidden keys have a weight
 * of 0 in a row that is NaN, too.
 *
 * @param scores `scores[j][r]`, `step` bytes from key to key; afterwards weights, and 1 where the rescaling
 *   factors would be
 * @param inverse `[4]`: of the denominators
 */
export function finalWeights(
  scores: usize,
  step: usize,
  keys: i32,
  factor: f32,
  max: usize,
  inverse: usize,
): void {
  const factors = f32x4.splat(factor);
  const maxima = v128.load(max);
  const inverses = v128.load(inverse);
  const hidden = f32x4.splat(-Infinity);
  const end = scores + step * <usize>keys;
  const lowest = lowestOf(factors);
  while (scores < end) {
    const s = v128.load(scores);
    const x = f32x4.sub(s, maxima);
    const exponential = exp2Times(
      x,
      factors,
      lowest,
      exp2Magic,
      exp2One,
      exp2C1,
      exp2C2,
      exp2C3,
      exp2C4,
      exp2C5,
    );
    const weight = f32x4.mul(exponential, inverses);
    v128.store(scores, v128.and(weight, f32x4.ne(s, hidden)));
    scores += step;
  }
  v128.store(end, f32x4.splat(1));
}

/**
 * Finds the largest scores of a panel's rows. NaN is passed over.
 *
 * @param scores `[keys, 8]`
 * @param end of the scores
 * @param max `[8]`, written
 */
export function greatestOfPanel(scores: usize, end: usize, max: usize): void {
  let a0 = f32x4.splat(LOWEST);
  let a1 = a0;
  let b0 = a0;
  let b1 = a0;
  let c0 = a0;
  let c1 = a0;
  let d0 = a0;
  let d1 = a0;
  const fours = scores + ((end - scores) & -128);
  while (scores < fours) {
    a0 = f32x4.pmax(a0, v128.load(scores));
    a1 = f32x4.pmax(a1, v128.load(scores, 16));
    b0 = f32x4.pmax(b0, v128.load(scores, 32));
    b1 = f32x4.pmax(b1, v128.load(scores, 48));
    c0 = f32x4.pmax(c0, v128.load(scores, 64));
    c1 = f32x4.pmax(c1, v128.load(scores, 80));
    d0 = f32x4.pmax(d0, v128.load(scores, 96));
    d1 = f32x4.pmax(d1, v128.load(scores, 112));
    scores += 128;
  }
  while (scores < end) {
    a0 = f32x4.pmax(a0, v128.load(scores));
    a1 = f32x4.pmax(a1, v128.load(scores, 16));
    scores += 32;
  }
  v128.store(max, f32x4.pmax(f32x4.pmax(a0, b0), f32x4.pmax(c0, d0)));
  v128.store(max, f32x4.pmax(f32x4.pmax(a1, b1), f32x4.pmax(c1, d1)), 16);
}

/**
 * Turns a panel's scores into weights, whose maxima are known.
 *
 * @param scores `[keys, 8]`
 * @param end of the scores
 * @param max `[8]`
 * @param sum `[8]`: the weights' sums, written
 * @param half whether only the first four rows are needed
 */
export function panelWeights(
  scores: usize,
  end: usize,
  factor: v128,
  max: usize,
  sum: usize,
  half: bool,
): void {
  v128.store(sum, weigh(scores, end, 32, factor, v128.load(max)));
  if (!half) v128.store(sum, weigh(scores + 16, end, 32, factor, v128.load(max, 16)), 16);
}

/**
 * Turns every `step`-th vector of scores into weights.
 *
 * @returns the weights' sums, lane by lane
 */
function weigh(scores: usize, end: usize, step: usize, factor: v128, max: v128): v128 {
  const lowest = lowestOf(factor);
  const magic = exp2Magic;
  const one = exp2One;
  const c1 = exp2C1;
  const c2 = exp2C2;
  const c3 = exp2C3;
  const c4 = exp2C4;
  const c5 = exp2C5;
  let sums = i32x4.splat(0);
  while (scores < end) {
    const x = f32x4.sub(v128.load(scores), max);
    const weight = exp2Times(x, factor, lowest, magic, one, c1, c2, c3, c4, c5);
    v128.store(scores, weight);
    sums = f32x4.add(sums, weight);
    scores += step;
  }
  return sums;
}
