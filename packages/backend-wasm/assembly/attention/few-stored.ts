import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
import { bringAhead } from "./ahead";
import { computeFloats } from "./few-floats";
import { anySpecial, atEven, atOdd, HALF_FACTOR, INT8_FACTOR } from "./kernels/stored";
import { fewStoredScores, singleStoredScores } from "./kernels/stored-scores";
import { fewStoredValues, singleStoredValues } from "./kernels/stored-values";
import { chunkOf, touchRows } from "./kernels/touch";
import { anyHidden } from "./row-state";
import {
  addressInPlace,
  headStrideInPlace,
  paddedBytes,
  runFrom,
  scaleAddress,
  scalesOf,
  scaleStride,
  strideInPlace,
} from "./tile-source";
import { selectHead } from "./unit";

// Steps of a tile for few rows on float16 or int8, which are converted in registers. A token's scale is multiplied
// with its score and its weight instead of its elements.

/** Whether rows of so many columns are converted in registers: eight elements at a time. */
export function converts(d: usize, columns: usize): bool {
  return word(d, D.stored) != D.storedFloat32 && (word(d, columns) & 7) == 0;
}

/** 2^n for a normal result. */
// @ts-ignore: decorator
@inline
function power(n: i32): f32 {
  return reinterpret<f32>((n + 127) << 23);
}

/** Binary exponent of the scaled queries under int8: products with elements up to 2^7 do not overflow before their sum is scaled. */
// @ts-ignore: decorator
@inline
const INT8_EXPONENT: i32 = -20;

/** The power of two times which `low` and `high` read int8. */
// @ts-ignore: decorator
@inline
const INT8_READ_EXPONENT: i32 = 16;

/**
 * Copies the packed queries, times powers of two that are made up for in the scores: `[headDim/8, 4, 8]`, so that one
 * address reaches all rows, each eight in the order in which keys are read. int8 keys are read times 2^16, float16 keys
 * times 2^−112, so that queries take as much of 2^112 as they can without an overflow. The factors `[4]` of the scores
 * follow.
 */
export function packStoredQuery(d: usize, work: usize): void {
  const bytes = paddedBytes(word(d, D.headDim));
  const query = work + size(d, D.workQuery);
  const copy = query + 4 * bytes;
  const factors = copy + 4 * bytes;
  const half = word(d, D.stored) == D.storedFloat16;
  for (let r: usize = 0; r < 4; r++) {
    let from = query + 16 * r;
    const end = from + 4 * bytes;
    let exponent = INT8_EXPONENT - INT8_READ_EXPONENT;
    if (half) {
      let most = 0;
      for (let p = from; p < end; p += 64) {
        for (let i: usize = 0; i < 16; i += 4) most = max(most, load<i32>(p + i) & 0x7fffffff);
      }
      exponent = max(-15, min(127, 111 + 127 - (most >> 23)));
    }
    const factor = f32x4.splat(power(exponent));
    let to = copy + 32 * r;
    while (from < end) {
      const first = f32x4.mul(v128.load(from), factor);
      const last = f32x4.mul(v128.load(from, 64), factor);
      v128.store(to, half ? first : atEven(first, last));
      v128.store(to, half ? last : atOdd(first, last), 16);
      from += 128;
      to += 128;
    }
    store<f32>(factors + 4 * r, power((half ? 112 : -INT8_READ_EXPONENT) - exponent));
  }
}

/**
 * `computeFloats` on stored keys `from ≤ j < to`, by runs without gaps, in each of which the key heads take turns.
 */
export function computeStored(
  d: usize,
  work: usize,
  heads: i32,
  from: i32,
  to: i32,
  single: bool,
  x: usize,
  isValues: bool,
): void {
  const step = size(d, D.workHead);
  const pointer = isValues ? D.valuePointer : D.keyPointer;
  const scales = scalesOf(pointer);
  const bytes = <usize>word(d, isValues ? D.valueDim : D.headDim) << word(d, D.stored);
  const chunk = chunkOf(bytes);
  const brings = strideInPlace(d, pointer) == bytes;
  while (from < to) {
    const run = runFrom(d, from, to);
    const came = brings && bringAhead(d, pointer, from, run, bytes);
    let at: usize = 0;
    if (heads > 1) selectHead(0);
    let row = addressInPlace(d, pointer, from);
    // An address from which nothing is read, for float16.
    let scale = scaleAddress(d, scales, from);
    for (let head = 0; head < heads; head++) {
      if (heads > 1) selectHead(head);
      if (isValues) addRun(d, work + at, from, run, chunk, came, single, x + at, row, scale);
      else scoreRun(d, work + at, from, run, chunk, came, single, x + at, row, scale);
      at += step;
      row += headStrideInPlace(d, pointer);
      scale += 4 * size(d, scales + 8);
    }
    x += (single ? 4 : 16) * <usize>run;
    from += run;
  }
}

/**
 * @param chunk keys of which a row each is brought into the cache at once, unless they came before
 * @param key address of the first
 * @param scale address of its scale
 */
function scoreRun(
  d: usize,
  work: usize,
  from: i32,
  run: i32,
  chunk: i32,
  came: bool,
  single: bool,
  scores: usize,
  key: usize,
  scale: usize,
): void {
  const columns = word(d, D.headDim);
  const rowBytes = paddedBytes(columns);
  const query = work + size(d, D.workQuery) + 4 * rowBytes;
  const factors = query + 4 * rowBytes;
  const half = word(d, D.stored) == D.storedFloat16;
  const bytes = <usize>columns << word(d, D.stored);
  const stride = strideInPlace(d, D.keyPointer);
  const scales = scaleStride(d, D.keyScalesPointer);
  const step: usize = single ? 4 : 16;
  while (run > 0) {
    const keys = min(chunk, run);
    if (!came) touchRows(key, stride, keys, bytes);
    const special = half && anySpecial(key, stride, keys, bytes);
    if (single && half) {
      singleStoredScores<u16>(query, key, bytes, stride, keys, scores);
      multiply(scores, scores + 4 * <usize>keys, load<f32>(factors));
    } else if (single) {
      singleStoredScores<i8>(query, key, bytes, stride, keys, scores);
      scaleKeys(scores, keys, scale, scales, load<f32>(factors), true, false);
    } else if (half) {
      fewStoredScores<u16>(query, key, bytes, stride, keys, 0, 0, scores);
    } else {
      fewStoredScores<i8>(query, key, bytes, stride, keys, scale, scales, scores);
    }
    // One by one, so that the bits of others do not depend on these.
    for (let j = 0; special && j < keys; j++) {
      if (!anySpecial(key + stride * <usize>j, 0, 1, bytes)) continue;
      if (single) scoreAlone(d, work, from + j, scores + 4 * <usize>j);
      else computeFloats(d, work, 1, from + j, from + j + 1, false, scores + 16 * <usize>j, false);
    }
    scores += step * <usize>keys;
    key += stride * <usize>keys;
    scale += scales * <usize>keys;
    from += keys;
    run -= keys;
  }
}

/** The dot product of a single row with one key: scores after it stay. */
function scoreAlone(d: usize, work: usize, j: i32, score: usize): void {
  const sums = work + size(d, D.workRow);
  computeFloats(d, work, 1, j, j + 1, true, sums, false);
  store<f32>(score, load<f32>(sums));
}

/**
 * Multiplies what belongs to each key with its scale, and then with a power of two.
 *
 * @param guards whether 0 stays 0, whatever the scale: weights of hidden keys
 */
function scaleKeys(
  x: usize,
  keys: i32,
  scale: usize,
  stride: usize,
  power: f32,
  single: bool,
  guards: bool,
): void {
  const zero = i32x4.splat(0);
  const powers = f32x4.splat(power);
  while (keys >= 4 && !single && !guards) {
    const s0 = f32x4.mul(v128.load(x), v128.load32_splat(scale));
    v128.store(x, f32x4.mul(s0, powers));
    scale += stride;
    const s1 = f32x4.mul(v128.load(x, 16), v128.load32_splat(scale));
    v128.store(x, f32x4.mul(s1, powers), 16);
    scale += stride;
    const s2 = f32x4.mul(v128.load(x, 32), v128.load32_splat(scale));
    v128.store(x, f32x4.mul(s2, powers), 32);
    scale += stride;
    const s3 = f32x4.mul(v128.load(x, 48), v128.load32_splat(scale));
    v128.store(x, f32x4.mul(s3, powers), 48);
    scale += stride;
    x += 64;
    keys -= 4;
  }
  while (keys > 0) {
    if (single) {
      store<f32>(x, load<f32>(x) * load<f32>(scale) * power);
      x += 4;
    } else {
      const weights = v128.load(x);
      const scaled = f32x4.mul(f32x4.mul(weights, v128.load32_splat(scale)), powers);
      v128.store(x, guards ? v128.andnot(scaled, f32x4.eq(weights, zero)) : scaled);
      x += 16;
    }
    scale += stride;
    keys -= 1;
  }
}

/** As `scoreRun`. */
function addRun(
  d: usize,
  work: usize,
  from: i32,
  run: i32,
  chunk: i32,
  came: bool,
  single: bool,
  weights: usize,
  value: usize,
  scale: usize,
): void {
  const half = word(d, D.stored) == D.storedFloat16;
  const bytes = <usize>word(d, D.valueDim) << word(d, D.stored);
  const stride = strideInPlace(d, D.valuePointer);
  const scales = scaleStride(d, D.valueScalesPointer);
  const sums = work + size(d, D.workRow);
  const step: usize = single ? 4 : 16;
  while (run > 0) {
    const keys = min(chunk, run);
    if (!came) touchRows(value, stride, keys, bytes);
    if (half) {
      if (anySpecial(value, stride, keys, bytes)) {
        computeFloats(d, work, 1, from, from + keys, single, weights, true);
      } else {
        multiply(weights, weights + step * <usize>keys, HALF_FACTOR);
        if (single) singleStoredValues<u16>(weights, keys, value, bytes, stride, sums);
        else fewStoredValues<u16>(weights, keys, value, bytes, stride, sums);
      }
    } else {
      scaleKeys(weights, keys, scale, scales, INT8_FACTOR, single, anyHidden(d, work));
      if (single) singleStoredValues<i8>(weights, keys, value, bytes, stride, sums);
      else fewStoredValues<i8>(weights, keys, value, bytes, stride, sums);
    }
    weights += step * <usize>keys;
    value += stride * <usize>keys;
    scale += scales * <usize>keys;
    from += keys;
    run -= keys;
  }
}

/** Multiplies float32. */
export function multiply(x: usize, end: usize, factor: f32): void {
  const factors = f32x4.splat(factor);
  while (x + 16 <= end) {
    v128.store(x, f32x4.mul(v128.load(x), factors));
    x += 16;
  }
  while (x < end) {
    store<f32>(x, load<f32>(x) * factor);
    x += 4;
  }
}
