import {
  exp2,
  exp2C1,
  exp2C2,
  exp2C3,
  exp2C4,
  exp2C5,
  exp2Lowest,
  exp2Magic,
  exp2One,
  exp2Scalar,
  exp2With,
} from "../exp2";
import { LOWEST } from "../rows";
import { maxLanes, sumLanes } from "../simd";

// Steps of the online softmax (Milakov & Gimelshein, 2018, arXiv:1805.02867) on a tile: the maxima rise
// to those of the tile, its logits become weights 2^(factor · s − max), these are added to the sums, and
// sums and output so far are rescaled.
//
// The factor is the scale times log₂ e. It is applied here, once a logit, and not to the queries in
// advance: that would be free, but rounds every element of them, and a logit of 10⁴ is then off by some
// thousandths.

/**
 * For a panel of 8 rows, which are lanes, so that nothing is shuffled.
 *
 * @param scores `[keys, 8]`; weights afterwards
 * @param factor ≥ 0
 * @param max to base 2, `[8]`
 * @param sum `[8]`
 * @param output `[size, 8]`
 */
export function panelSoftmax(
  scores: usize,
  keys: i32,
  factor: f32,
  max: usize,
  sum: usize,
  output: usize,
  size: i32,
): void {
  const end = scores + 32 * <usize>keys;
  const factors = f32x4.splat(factor);
  const lowest = f32x4.splat(LOWEST);
  // Four keys at once: a maximum waits for the one before it, for four cycles on Intel's cores.
  let max0 = lowest;
  let max1 = lowest;
  let max2 = lowest;
  let max3 = lowest;
  let max4 = lowest;
  let max5 = lowest;
  let max6 = lowest;
  let max7 = lowest;
  let p = scores;
  const fours = scores + 128 * <usize>(keys >> 2);
  while (p < fours) {
    max0 = f32x4.pmax(max0, v128.load(p));
    max1 = f32x4.pmax(max1, v128.load(p, 16));
    max2 = f32x4.pmax(max2, v128.load(p, 32));
    max3 = f32x4.pmax(max3, v128.load(p, 48));
    max4 = f32x4.pmax(max4, v128.load(p, 64));
    max5 = f32x4.pmax(max5, v128.load(p, 80));
    max6 = f32x4.pmax(max6, v128.load(p, 96));
    max7 = f32x4.pmax(max7, v128.load(p, 112));
    p += 128;
  }
  while (p < end) {
    max0 = f32x4.pmax(max0, v128.load(p));
    max1 = f32x4.pmax(max1, v128.load(p, 16));
    p += 32;
  }
  max0 = f32x4.pmax(f32x4.pmax(max0, max2), f32x4.pmax(max4, max6));
  max1 = f32x4.pmax(f32x4.pmax(max1, max3), f32x4.pmax(max5, max7));
  const before0 = v128.load(max);
  const before1 = v128.load(max, 16);
  max0 = f32x4.pmax(before0, f32x4.mul(max0, factors));
  max1 = f32x4.pmax(before1, f32x4.mul(max1, factors));
  let sum0 = v128.load(sum);
  let sum1 = v128.load(sum, 16);
  const same = v128.and(f32x4.eq(before0, max0), f32x4.eq(before1, max1));
  if (!i32x4.all_true(same)) {
    v128.store(max, max0);
    v128.store(max, max1, 16);
    const rescale0 = exp2(f32x4.sub(before0, max0));
    const rescale1 = exp2(f32x4.sub(before1, max1));
    sum0 = f32x4.mul(sum0, rescale0);
    sum1 = f32x4.mul(sum1, rescale1);
    const outputEnd = output + 32 * <usize>size;
    while (output < outputEnd) {
      v128.store(output, f32x4.mul(v128.load(output), rescale0));
      v128.store(output, f32x4.mul(v128.load(output, 16), rescale1), 16);
      output += 32;
    }
  }
  v128.store(sum, f32x4.add(sum0, weigh(scores, end, 32, factors, max0)));
  v128.store(sum, f32x4.add(sum1, weigh(scores + 16, end, 32, factors, max1)), 16);
}

/**
 * For one row, whose keys are lanes.
 *
 * @param scores `[keys]`, padded to a multiple of four with −∞; weights afterwards
 * @param max one float32, as is `sum`
 * @param output `[bytes/4]`
 */
export function singleSoftmax(
  scores: usize,
  keys: i32,
  factor: f32,
  max: usize,
  sum: usize,
  output: usize,
  bytes: usize,
): void {
  const end = scores + 16 * <usize>((keys + 3) >> 2);
  let lanes = f32x4.splat(LOWEST);
  let p = scores;
  while (p < end) {
    lanes = f32x4.pmax(lanes, v128.load(p));
    p += 16;
  }
  const before = load<f32>(max);
  const tile = maxLanes(lanes) * factor;
  const now = tile > before ? tile : before;
  let total = load<f32>(sum);
  if (now != before) {
    store<f32>(max, now);
    const rescaling = exp2Scalar(before - now);
    total *= rescaling;
    rescale(output, bytes, f32x4.splat(rescaling));
  }
  const sums = weigh(scores, end, 16, f32x4.splat(factor), f32x4.splat(now));
  store<f32>(sum, total + sumLanes(sums));
}

/** For four rows, which are lanes: `scores[j][r]`, `max[r]`, `sum[r]`, `output[r][c]`. */
export function fewSoftmax(
  scores: usize,
  keys: i32,
  factor: f32,
  max: usize,
  sum: usize,
  output: usize,
  bytes: usize,
): void {
  const end = scores + 16 * <usize>keys;
  const factors = f32x4.splat(factor);
  let now = f32x4.splat(LOWEST);
  let p = scores;
  while (p < end) {
    now = f32x4.pmax(now, v128.load(p));
    p += 16;
  }
  const before = v128.load(max);
  now = f32x4.pmax(before, f32x4.mul(now, factors));
  let total = v128.load(sum);
  if (!i32x4.all_true(f32x4.eq(before, now))) {
    v128.store(max, now);
    const rescaling = exp2(f32x4.sub(before, now));
    total = f32x4.mul(total, rescaling);
    rescale(output, bytes, v128.shuffle<f32>(rescaling, rescaling, 0, 0, 0, 0));
    rescale(output + bytes, bytes, v128.shuffle<f32>(rescaling, rescaling, 1, 1, 1, 1));
    rescale(output + 2 * bytes, bytes, v128.shuffle<f32>(rescaling, rescaling, 2, 2, 2, 2));
    rescale(output + 3 * bytes, bytes, v128.shuffle<f32>(rescaling, rescaling, 3, 3, 3, 3));
  }
  v128.store(sum, f32x4.add(total, weigh(scores, end, 16, factors, now)));
}

/**
 * Turns every `step`-th vector of logits into weights. Multiply and subtract are apart in both builds:
 * fused, the largest logit less itself would not be 0 but a rounding error, which is large where
 * logits are.
 *
 * @returns the weights' sums, lane by lane
 */
export function weigh(scores: usize, end: usize, step: usize, factor: v128, max: v128): v128 {
  const lowest = exp2Lowest;
  const magic = exp2Magic;
  const one = exp2One;
  const c1 = exp2C1;
  const c2 = exp2C2;
  const c3 = exp2C3;
  const c4 = exp2C4;
  const c5 = exp2C5;
  let sums = i32x4.splat(0);
  while (scores < end) {
    const x = f32x4.sub(f32x4.mul(v128.load(scores), factor), max);
    const weight = exp2With(x, lowest, magic, one, c1, c2, c3, c4, c5);
    v128.store(scores, weight);
    sums = f32x4.add(sums, weight);
    scores += step;
  }
  return sums;
}

function rescale(output: usize, bytes: usize, factor: v128): void {
  const end = output + bytes;
  while (output < end) {
    v128.store(output, f32x4.mul(v128.load(output), factor));
    output += 16;
  }
}
