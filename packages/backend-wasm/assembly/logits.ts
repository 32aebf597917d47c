import * as D from "../src/descriptor";
import { loadFloat16Scalar } from "./float16";
import { BIAS, HI, LO, LOG2_E, LOWEST, MASK, POSITION, rowState, size, SLOPE, number, word } from "./rows";
import { tanh } from "./tanh";

// Steps 1 to 4 of the semantics, on a column: the dot products of four rows, side by side, with some
// keys, which are `step` bytes apart.

/** Whether logits are computed to base e, step by step, and only then turned to base 2. */
export function isNatural(d: usize): bool {
  return number(d, D.softcap) != 0 || word(d, D.biasPointer) != 0 || word(d, D.alibiPointer) != 0;
}

/** What dot products are yet to be multiplied with to be logits to base 2, when a softmax sees them. */
export function logitFactor(d: usize): f32 {
  return isNatural(d) ? 1 : abs(number(d, D.scale)) * LOG2_E;
}

/** What queries are multiplied with: the sign of the scale, if the factor above has not got it. */
export function querySign(d: usize): f32 {
  return !isNatural(d) && number(d, D.scale) < 0 ? -1 : 1;
}

/**
 * Steps 1 to 4 of the semantics: turns dot products into logits, in which bias or mask hide a key by
 * −∞. Band and lengths are not seen to here.
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
  if (isNatural(d)) {
    addToScores(d, work, r, scores, step, from, keys, D.scoresBiased);
    toBase2(scores, step, keys);
  }
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
  const scale = number(d, D.scale) * querySign(d);
  if (scale != 1) scaleColumn(scores, step, keys, scale);
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
      v128.store(scores, f32x4.add(v128.load(scores), bias));
      b0 += stride;
      b1 += stride;
      b2 += stride;
      b3 += stride;
      scores += step;
    }
  } else if (b0 == b1 && b0 == b2 && b0 == b3) {
    while (scores < end) {
      v128.store(scores, f32x4.add(v128.load(scores), v128.load32_splat(b0)));
      b0 += stride;
      scores += step;
    }
  } else {
    while (scores < end) {
      let bias = v128.load32_zero(b0);
      bias = v128.load32_lane(b1, bias, 1);
      bias = v128.load32_lane(b2, bias, 2);
      bias = v128.load32_lane(b3, bias, 3);
      v128.store(scores, f32x4.add(v128.load(scores), bias));
      b0 += stride;
      b1 += stride;
      b2 += stride;
      b3 += stride;
      scores += step;
    }
  }
}

/** s −= slope · |p − j|. */
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
  let key = f32x4.splat(<f32>from);
  const end = scores + step * <usize>keys;
  while (scores < end) {
    const distance = f32x4.abs(f32x4.sub(position, key));
    v128.store(scores, f32x4.sub(v128.load(scores), f32x4.mul(slope, distance)));
    key = f32x4.add(key, one);
    scores += step;
  }
}

/**
 * Logits to base 2. A logit that is not −∞ does not become it: the lowest float32 is a bias that
 * others write for "hidden", and a row of nothing else must come out as they compute it.
 */
function toBase2(scores: usize, step: usize, keys: i32): void {
  const factor = f32x4.splat(LOG2_E);
  const lowest = f32x4.splat(LOWEST);
  const hidden = f32x4.splat(-Infinity);
  const end = scores + step * <usize>keys;
  while (scores < end) {
    const s = v128.load(scores);
    const logit = f32x4.pmax(lowest, f32x4.mul(s, factor));
    v128.store(scores, v128.bitselect(logit, hidden, f32x4.gt(s, hidden)));
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
