import * as D from "../../src/shared/attention";
import { number, size, word } from "../descriptor";
import { LOWEST } from "../math/constants";
import { loadFloat16Scalar } from "../math/float16";
import { madd } from "../math/simd";
import { tanh } from "../math/tanh";
import { changeScores, hasPrograms, hasScore, hideByProgram, maskAddress } from "../program/stages";
import { allWithin } from "./key-positions";
import {
  ALL_FROM,
  ALL_LEFT,
  ALL_RIGHT,
  ALL_TO,
  BIAS,
  HI,
  keyPositions,
  LEFT,
  LO,
  MASK,
  panelState,
  POSITION,
  RIGHT,
  SLOPE,
  stateOf,
} from "./row-state";

// Steps 1 to 4 of the semantics, on a column: the dot products of four rows, side by side, with some
// keys, which are `step` bytes apart.

/**
 * Steps 1 to 4 of the semantics for the rows of a panel: turns dot products into what the softmax sees. Keys that
 * are hidden become −∞, whatever was there.
 *
 * @param r the panel's first row
 * @param last its last row that is needed
 * @param scores of keys `lo ≤ j < hi`, `step` bytes from key to key
 * @returns whether any key may be hidden from any row
 */
export function finishLogits(
  d: usize,
  work: usize,
  r: i32,
  last: i32,
  scores: usize,
  step: usize,
  lo: i32,
  hi: i32,
): bool {
  const stepwise = word(d, D.stepwise) != 0;
  const mask = word(d, D.maskPointer) != 0;
  const panel = panelState(d, work, r);
  const allFrom = min(hi, load<i32>(panel, ALL_FROM));
  const allTo = max(lo, load<i32>(panel, ALL_TO));
  const scattered =
    keyPositions != 0 && !allWithin(lo, hi, load<i32>(panel, ALL_LEFT), load<i32>(panel, ALL_RIGHT));
  let hides = lo < allFrom || allTo < hi || mask || scattered;
  const edge = scores + step * <usize>(allTo - lo);
  for (let at: usize = 0; r <= last; r += 4) {
    const column = scores + at;
    if (stepwise && addToScores(d, work, r, column, step, lo, hi - lo, D.scoresBiased)) hides = true;
    // A bias of −∞ hides a key whatever a program makes of its score.
    if (hasScore && word(d, D.biasPointer)) hideByBias(d, work, r, column, step, lo, hi - lo);
    if (mask) hideMasked(d, work, r, column, step, lo, hi - lo);
    if (hasPrograms && maskAddress) {
      hideByProgram(at, column, step, hi - lo);
      hides = true;
    }
    if (lo < allFrom) hideOutside(d, work, r, column, step, lo, allFrom - lo);
    if (allTo < hi) hideOutside(d, work, r, edge + at, step, allTo, hi - allTo);
    if (scattered) hideScattered(d, work, r, column, step, lo, hi - lo);
    at += 16;
  }
  return hides;
}

/**
 * Steps 1 to 3 of the semantics, to base e, on dot products.
 *
 * @param kind the step to stop after: one of `scoresRaw`, …
 * @returns whether the bias hides any key
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
): bool {
  let factor = number(d, D.scoreFactor);
  const cap = number(d, D.scoreCap);
  const biasNext = cap == 0 && kind == D.scoresBiased && word(d, D.biasPointer) != 0;
  if (factor != 1 && !biasNext) {
    scaleColumn(scores, step, keys, factor);
    factor = 1;
  }
  if (kind == D.scoresRaw) return false;
  if (cap != 0) capColumn(scores, step, keys, cap);
  if (kind == D.scoresCapped) return false;
  let hides = false;
  if (word(d, D.biasPointer)) hides = addBias(d, work, r, scores, step, from, keys, factor);
  if (word(d, D.alibiPointer)) addAlibi(d, work, r, scores, step, from, keys);
  if (hasScore && changeScores(r, scores, step, from, keys)) hides = true;
  return hides;
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

/** Four rows' largest sums of the last call of `addBias`; NaN is passed over. */
export let greatestBiased: v128 = i32x4.splat(0);

/** Adds a vector of the bias. */
// @ts-ignore: decorator
@inline
function addTo(scores: usize, factor: v128, bias: v128): v128 {
  const sum = madd(v128.load(scores), factor, bias);
  v128.store(scores, sum);
  return sum;
}

/**
 * s = factor · s + bias, but −∞ where the bias is −∞: it hides the key, even if s is NaN or +∞. Leaves the largest in
 * `greatestBiased`.
 *
 * @returns whether it is −∞ anywhere
 */
export function addBias(
  d: usize,
  work: usize,
  r: i32,
  scores: usize,
  step: usize,
  from: i32,
  keys: i32,
  scale: f32,
): bool {
  const factor = f32x4.splat(scale);
  const half = word(d, D.biasIsFloat16) != 0;
  const stride = size(d, D.biasKeyStride) * (half ? 2 : 4);
  const rows = stateOf(d, work, r) + BIAS;
  const first = <usize>from * stride;
  let b0 = load<usize>(rows) + first;
  let b1 = load<usize>(rows, 4) + first;
  let b2 = load<usize>(rows, 8) + first;
  let b3 = load<usize>(rows, 12) + first;
  const start = scores;
  const end = scores + step * <usize>keys;
  let least = f32x4.splat(Infinity);
  let most = f32x4.splat(LOWEST);
  if (!half && stride == 4) {
    const fours = scores + step * <usize>(keys & -4);
    while (scores < fours) {
      const x0 = v128.load(b0);
      const x1 = v128.load(b1);
      const x2 = v128.load(b2);
      const x3 = v128.load(b3);
      const low01 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
      const low23 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
      const high01 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
      const high23 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
      const bias0 = v128.shuffle<f32>(low01, low23, 0, 1, 4, 5);
      least = f32x4.pmin(least, bias0);
      most = f32x4.pmax(most, addTo(scores, factor, bias0));
      scores += step;
      const bias1 = v128.shuffle<f32>(low01, low23, 2, 3, 6, 7);
      least = f32x4.pmin(least, bias1);
      most = f32x4.pmax(most, addTo(scores, factor, bias1));
      scores += step;
      const bias2 = v128.shuffle<f32>(high01, high23, 0, 1, 4, 5);
      least = f32x4.pmin(least, bias2);
      most = f32x4.pmax(most, addTo(scores, factor, bias2));
      scores += step;
      const bias3 = v128.shuffle<f32>(high01, high23, 2, 3, 6, 7);
      least = f32x4.pmin(least, bias3);
      most = f32x4.pmax(most, addTo(scores, factor, bias3));
      scores += step;
      b0 += 16;
      b1 += 16;
      b2 += 16;
      b3 += 16;
    }
  }
  while (scores < end) {
    const bias = biasOf(b0, b1, b2, b3, half);
    least = f32x4.pmin(least, bias);
    most = f32x4.pmax(most, addTo(scores, factor, bias));
    b0 += stride;
    b1 += stride;
    b2 += stride;
    b3 += stride;
    scores += step;
  }
  greatestBiased = most;
  if (!v128.any_true(f32x4.eq(least, f32x4.splat(-Infinity)))) return false;
  hideByBias(d, work, r, start, step, from, keys);
  return true;
}

/** −∞ where the bias is −∞. */
function hideByBias(
  d: usize,
  work: usize,
  r: i32,
  scores: usize,
  step: usize,
  from: i32,
  keys: i32,
): void {
  const infinite = f32x4.splat(-Infinity);
  const half = word(d, D.biasIsFloat16) != 0;
  const stride = size(d, D.biasKeyStride) * (half ? 2 : 4);
  const rows = stateOf(d, work, r) + BIAS;
  const first = <usize>from * stride;
  let b0 = load<usize>(rows) + first;
  let b1 = load<usize>(rows, 4) + first;
  let b2 = load<usize>(rows, 8) + first;
  let b3 = load<usize>(rows, 12) + first;
  const end = scores + step * <usize>keys;
  while (scores < end) {
    const hides = f32x4.eq(biasOf(b0, b1, b2, b3, half), infinite);
    v128.store(scores, v128.bitselect(infinite, v128.load(scores), hides));
    b0 += stride;
    b1 += stride;
    b2 += stride;
    b3 += stride;
    scores += step;
  }
}

/** Four rows' biases of a key. */
function biasOf(b0: usize, b1: usize, b2: usize, b3: usize, half: bool): v128 {
  if (half) {
    return f32x4(
      loadFloat16Scalar(b0),
      loadFloat16Scalar(b1),
      loadFloat16Scalar(b2),
      loadFloat16Scalar(b3),
    );
  }
  return f32x4(load<f32>(b0), load<f32>(b1), load<f32>(b2), load<f32>(b3));
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
  if (keyPositions || word(d, D.queryPositionsPointer)) {
    addScatteredAlibi(d, work, r, scores, step, from, keys);
    return;
  }
  const slope = v128.load(stateOf(d, work, r), SLOPE);
  const position = v128.load(stateOf(d, work, r), POSITION);
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

/** The same where positions are data: distances are exact up to 2^32 before they are rounded. */
function addScatteredAlibi(
  d: usize,
  work: usize,
  r: i32,
  scores: usize,
  step: usize,
  from: i32,
  keys: i32,
): void {
  const slope = v128.load(stateOf(d, work, r), SLOPE);
  const position = v128.load(stateOf(d, work, r), POSITION);
  const hidden = f32x4.splat(-Infinity);
  const one = i32x4.splat(1);
  const given = keyPositions;
  let at = given + 4 * <usize>from;
  let key = i32x4.splat(from);
  const end = scores + step * <usize>keys;
  while (scores < end) {
    if (given) key = v128.load32_splat(at);
    const distance = i32x4.sub(i32x4.max_s(position, key), i32x4.min_s(position, key));
    const s = v128.load(scores);
    const moved = f32x4.sub(s, f32x4.mul(slope, f32x4.convert_i32x4_u(distance)));
    v128.store(scores, v128.bitselect(s, moved, f32x4.eq(s, hidden)));
    key = i32x4.add(key, one);
    at += 4;
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
  const rows = stateOf(d, work, r) + MASK;
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
function hideOutside(
  d: usize,
  work: usize,
  r: i32,
  scores: usize,
  step: usize,
  from: i32,
  keys: i32,
): void {
  const lo = v128.load(stateOf(d, work, r), LO);
  const hi = v128.load(stateOf(d, work, r), HI);
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

/** −∞ where a key's position is outside of a row's `LEFT ≤ κ ≤ RIGHT`. */
function hideScattered(
  d: usize,
  work: usize,
  r: i32,
  scores: usize,
  step: usize,
  from: i32,
  keys: i32,
): void {
  const left = v128.load(stateOf(d, work, r), LEFT);
  const right = v128.load(stateOf(d, work, r), RIGHT);
  const hidden = f32x4.splat(-Infinity);
  let at = keyPositions + 4 * <usize>from;
  const end = scores + step * <usize>keys;
  while (scores < end) {
    const key = v128.load32_splat(at);
    const seen = v128.and(i32x4.ge_s(key, left), i32x4.le_s(key, right));
    v128.store(scores, v128.bitselect(v128.load(scores), hidden, seen));
    at += 4;
    scores += step;
  }
}
