import * as D from "../../src/shared/attention";
import { number, size, word } from "../descriptor";
import { LOWEST } from "../math/constants";
import { loadFloat16Scalar } from "../math/float16";
import { tanh } from "../math/tanh";
import { BIAS, HI, LO, MASK, POSITION, rowState, SLOPE } from "./row-state";

// Steps 1 to 4 of the semantics, on a column: the dot products of four rows, side by side, with some
// keys, which are `step` bytes apart.

/**
 * Steps 1 to 4 of the semantics but for band and lengths: turns dot products into what the softmax sees.
 * Keys that mask or bias hide become −∞, whatever was there.
 *
 * @param r the first of the four rows
 * @param from the first key
 */
export function finishColumn(
  d: usize,
  work: usize,
  r: i32,
  scores: usize,
  step: usize,
  from: i32,
  keys: i32,
): void {
  if (word(d, D.stepwise)) addToScores(d, work, r, scores, step, from, keys, D.scoresBiased);
  if (word(d, D.maskPointer)) hideMasked(d, work, r, scores, step, from, keys);
}

/**
 * Steps 1 to 3 of the semantics, to base e, on dot products.
 *
 * @param kind the step to stop after: one of `scoresRaw`, …
 */
export function addToScores(
  d: usize,
  work: usize,
  r: i32,
  scores: usize,
  step: usize,
  from: i32,
  keys: i32,
  kind: i32,
): void {
  const factor = number(d, D.scoreFactor);
  if (factor != 1) scaleColumn(scores, step, keys, factor);
  if (kind == D.scoresRaw) return;
  const cap = number(d, D.softcap);
  if (cap != 0) capColumn(scores, step, keys, cap);
  if (kind == D.scoresCapped) return;
  if (word(d, D.biasPointer)) addBias(d, work, r, scores, step, from, keys);
  if (word(d, D.alibiPointer)) addAlibi(d, work, r, scores, step, from, keys);
}

function scaleColumn(scores: usize, step: usize, keys: i32, scale: f32): void {
  const factor = f32x4.splat(scale);
  const end = scores + step * <usize>keys;
  while (scores < end) {
    v128.store(scores, f32x4.mul(v128.load(scores), factor));
    scores += step;
  }
}

/** s = cap · tanh(s / cap). */
function capColumn(scores: usize, step: usize, keys: i32, cap: f32): void {
  const end = scores + step * <usize>keys;
  const factor = f32x4.splat(cap);
  // A cap near 0 has no inverse in float32; the largest number saturates tanh as well.
  const inverse = f32x4.splat(min<f32>(1 / cap, -LOWEST));
  while (scores < end) {
    const t = tanh(f32x4.mul(v128.load(scores), inverse));
    v128.store(scores, f32x4.mul(t, factor));
    scores += step;
  }
}

/** s + bias, but −∞ where the bias is −∞: it hides the key, even if s is NaN or +∞. */
// @ts-ignore: decorator
@inline
function biased(score: v128, bias: v128): v128 {
  const hidden = f32x4.splat(-Infinity);
  return v128.bitselect(hidden, f32x4.add(score, bias), f32x4.eq(bias, hidden));
}

/** s += bias. */
function addBias(
  d: usize,
  work: usize,
  r: i32,
  scores: usize,
  step: usize,
  from: i32,
  keys: i32,
): void {
  const half = word(d, D.biasIsFloat16) != 0;
  const stride = size(d, D.biasKeyStride) * (half ? 2 : 4);
  const rows = rowState(d, work, BIAS, r);
  const first = <usize>from * stride;
  let b0 = load<usize>(rows) + first;
  let b1 = load<usize>(rows, 4) + first;
  let b2 = load<usize>(rows, 8) + first;
  let b3 = load<usize>(rows, 12) + first;
  const end = scores + step * <usize>keys;
  if (half) {
    while (scores < end) {
      const bias = f32x4(
        loadFloat16Scalar(b0),
        loadFloat16Scalar(b1),
        loadFloat16Scalar(b2),
        loadFloat16Scalar(b3),
      );
      v128.store(scores, biased(v128.load(scores), bias));
      b0 += stride;
      b1 += stride;
      b2 += stride;
      b3 += stride;
      scores += step;
    }
  } else if (b0 == b1 && b0 == b2 && b0 == b3) {
    while (scores < end) {
      v128.store(scores, biased(v128.load(scores), v128.load32_splat(b0)));
      b0 += stride;
      scores += step;
    }
  } else {
    while (scores < end) {
      let bias = v128.load32_zero(b0);
      bias = v128.load32_lane(b1, bias, 1);
      bias = v128.load32_lane(b2, bias, 2);
      bias = v128.load32_lane(b3, bias, 3);
      v128.store(scores, biased(v128.load(scores), bias));
      b0 += stride;
      b1 += stride;
      b2 += stride;
      b3 += stride;
      scores += step;
    }
  }
}

/** s −= slope · |p − j|, but −∞ stays: the product may overflow to −∞, and their difference is NaN. */
function addAlibi(
  d: usize,
  work: usize,
  r: i32,
  scores: usize,
  step: usize,
  from: i32,
  keys: i32,
): void {
  const slope = v128.load(rowState(d, work, SLOPE, r));
  const position = v128.load(rowState(d, work, POSITION, r));
  const one = f32x4.splat(1);
  const hidden = f32x4.splat(-Infinity);
  let key = f32x4.splat(<f32>from);
  const end = scores + step * <usize>keys;
  while (scores < end) {
    const distance = f32x4.abs(f32x4.sub(position, key));
    const s = v128.load(scores);
    const moved = f32x4.sub(s, f32x4.mul(slope, distance));
    v128.store(scores, v128.bitselect(s, moved, f32x4.eq(s, hidden)));
    key = f32x4.add(key, one);
    scores += step;
  }
}

function hideMasked(
  d: usize,
  work: usize,
  r: i32,
  scores: usize,
  step: usize,
  from: i32,
  keys: i32,
): void {
  const stride = size(d, D.maskKeyStride);
  const rows = rowState(d, work, MASK, r);
  const first = <usize>from * stride;
  let m0 = load<usize>(rows) + first;
  let m1 = load<usize>(rows, 4) + first;
  let m2 = load<usize>(rows, 8) + first;
  let m3 = load<usize>(rows, 12) + first;
  const hidden = f32x4.splat(-Infinity);
  const zero = i32x4.splat(0);
  const end = scores + step * <usize>keys;
  if (m0 == m1 && m0 == m2 && m0 == m3) {
    while (scores < end) {
      if (!load<u8>(m0)) v128.store(scores, hidden);
      m0 += stride;
      scores += step;
    }
    return;
  }
  while (scores < end) {
    const mask = i32x4(load<u8>(m0), load<u8>(m1), load<u8>(m2), load<u8>(m3));
    v128.store(scores, v128.bitselect(hidden, v128.load(scores), i32x4.eq(mask, zero)));
    m0 += stride;
    m1 += stride;
    m2 += stride;
    m3 += stride;
    scores += step;
  }
}

/** −∞ where a key is outside of a row's `LO ≤ j < HI`. */
export function hideOutside(
  d: usize,
  work: usize,
  r: i32,
  scores: usize,
  step: usize,
  from: i32,
  keys: i32,
): void {
  const lo = v128.load(rowState(d, work, LO, r));
  const hi = v128.load(rowState(d, work, HI, r));
  const hidden = f32x4.splat(-Infinity);
  const one = i32x4.splat(1);
  let key = i32x4.splat(from);
  const end = scores + step * <usize>keys;
  while (scores < end) {
    const seen = v128.and(i32x4.ge_s(key, lo), i32x4.lt_s(key, hi));
    v128.store(scores, v128.bitselect(v128.load(scores), hidden, seen));
    key = i32x4.add(key, one);
    scores += step;
  }
}
