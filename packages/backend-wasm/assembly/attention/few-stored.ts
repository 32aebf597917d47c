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
  paddedBytes,
  runFrom,
  scaleAddress,
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
 * times 2^−112, so that queries take as much of 2^112 as they can without an overflow: for them the factors `[4]` of the
 * scores follow.
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
    store<f32>(factors + 4 * r, power(112 - exponent));
  }
}

/** Dot products with the keys `from ≤ j < to`, as `computeFloats` gives them. */
export function scoreStored(
  d: usize,
  work: usize,
  heads: i32,
  from: i32,
  to: i32,
  single: bool,
  scores: usize,
): void {
  const half = word(d, D.stored) == D.storedFloat16;
  if (half) eachRun<u16>(d, work, heads, from, to, single, scores, false);
  else eachRun<i8>(d, work, heads, from, to, single, scores, false);
}

/**
 * Computes with the keys `from ≤ j < to` by runs without gaps, in each of which the key heads take turns.
 *
 * @param isValues whether values are added with their weights `x`, instead of keys' scores stored there
 */
function eachRun<Stored>(
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
  const bytes = <usize>word(d, isValues ? D.valueDim : D.headDim) * sizeof<Stored>();
  const brings = strideInPlace(d, pointer) == bytes;
  while (from < to) {
    const run = runFrom(d, from, to);
    const came = brings && bringAhead(d, pointer, from, run, bytes);
    let at: usize = 0;
    for (let head = 0; head < heads; head++) {
      if (heads > 1) selectHead(head);
      if (isValues) addRun<Stored>(d, work + at, from, run, came, single, x + at);
      else scoreRun<Stored>(d, work + at, from, run, came, single, x + at);
      at += step;
    }
    x += (single ? 4 : 16) * <usize>run;
    from += run;
  }
}

function scoreRun<Stored>(
  d: usize,
  work: usize,
  from: i32,
  run: i32,
  came: bool,
  single: bool,
  scores: usize,
): void {
  const columns = word(d, D.headDim);
  const rowBytes = paddedBytes(columns);
  const query = work + size(d, D.workQuery) + 4 * rowBytes;
  const factors = query + 4 * rowBytes;
  const bytes = <usize>columns * sizeof<Stored>();
  const stride = strideInPlace(d, D.keyPointer);
  const chunk = chunkOf(bytes);
  const step: usize = single ? 4 : 16;
  let key = addressInPlace(d, D.keyPointer, from);
  while (run > 0) {
    const keys = min(chunk, run);
    if (!came) touchRows(key, stride, keys, bytes);
    const special = sizeof<Stored>() == 2 && anySpecial(key, stride, keys, bytes);
    if (single) singleStoredScores<Stored>(query, key, bytes, stride, keys, scores);
    else fewStoredScores<Stored>(query, key, bytes, stride, keys, scores);
    if (sizeof<Stored>() == 1) {
      const scale = scaleAddress(d, D.keyScalesPointer, from);
      scaleKeys(scores, keys, scale, scaleStride(d, D.keyScalesPointer), power(-INT8_EXPONENT), single, false);
    } else {
      scaleRows(scores, keys, factors, single);
    }
    // One by one, so that the bits of others do not depend on these.
    for (let j = 0; special && j < keys; j++) {
      if (!anySpecial(key + stride * <usize>j, 0, 1, bytes)) continue;
      if (single) scoreAlone(d, work, from + j, scores + 4 * <usize>j);
      else computeFloats(d, work, 1, from + j, from + j + 1, false, scores + 16 * <usize>j, false);
    }
    scores += step * <usize>keys;
    key += stride * <usize>keys;
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

/** Multiplies each row's scores with its factor. */
function scaleRows(scores: usize, keys: i32, factors: usize, single: bool): void {
  const factor = single ? v128.load32_splat(factors) : v128.load(factors);
  const end = scores + <usize>keys * (single ? 4 : 16);
  while (scores < end) {
    v128.store(scores, f32x4.mul(v128.load(scores), factor));
    scores += 16;
  }
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

/** Adds the values `from ≤ j < to`, times their weights, to the tile's sums, as `computeFloats` does it. */
export function addStoredValues(
  d: usize,
  work: usize,
  heads: i32,
  from: i32,
  to: i32,
  single: bool,
  weights: usize,
): void {
  const half = word(d, D.stored) == D.storedFloat16;
  if (half) eachRun<u16>(d, work, heads, from, to, single, weights, true);
  else eachRun<i8>(d, work, heads, from, to, single, weights, true);
}

function addRun<Stored>(
  d: usize,
  work: usize,
  from: i32,
  run: i32,
  came: bool,
  single: bool,
  weights: usize,
): void {
  const bytes = <usize>word(d, D.valueDim) * sizeof<Stored>();
  const stride = strideInPlace(d, D.valuePointer);
  const sums = work + size(d, D.workRow);
  const step: usize = single ? 4 : 16;
  const chunk = chunkOf(bytes);
  let value = addressInPlace(d, D.valuePointer, from);
  while (run > 0) {
    const keys = min(chunk, run);
    if (!came) touchRows(value, stride, keys, bytes);
    if (sizeof<Stored>() == 2 && anySpecial(value, stride, keys, bytes)) {
      computeFloats(d, work, 1, from, from + keys, single, weights, true);
    } else {
      if (sizeof<Stored>() == 1) {
        const scale = scaleAddress(d, D.valueScalesPointer, from);
        const guards = anyHidden(d, work);
        scaleKeys(weights, keys, scale, scaleStride(d, D.valueScalesPointer), INT8_FACTOR, single, guards);
      } else {
        multiply(weights, weights + step * <usize>keys, HALF_FACTOR);
      }
      if (single) singleStoredValues<Stored>(weights, keys, value, bytes, stride, sums);
      else fewStoredValues<Stored>(weights, keys, value, bytes, stride, sums);
    }
    weights += step * <usize>keys;
    value += stride * <usize>keys;
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
