import { madd } from "../../math/simd";
import { eight, firstFour, high, lastFour, low, maskOf } from "./stored";
import { LINE, SHARES, touchAhead } from "./touch";

// `singleValues` and `fewValues` on values whose elements are converted in registers: see stored.ts. Weights have
// been multiplied with the scales and 2^−16, or with 2^112. Sums of a tile have each eight columns in the order of `low`
// and `high`. `touchAhead` brings as many other rows into the cache.

/**
 * `tile += Σ weights[j] · value[j]` for one row, four values at a time.
 *
 * @param weights `[keys]`, and up to three after them, which count as 0
 * @param bytes of a value, a multiple of eight elements
 * @param tile `[valueDim]`
 */
export function singleStoredValues<Stored>(
  weights: usize,
  keys: i32,
  value: usize,
  bytes: usize,
  stride: usize,
  tile: usize,
): void {
  const mask = maskOf<Stored>();
  while (keys > 0) {
    const zero = i32x4.splat(0);
    const w0 = v128.load32_splat(weights);
    const w1 = keys > 1 ? v128.load32_splat(weights, 4) : zero;
    const w2 = keys > 2 ? v128.load32_splat(weights, 8) : zero;
    const w3 = keys > 3 ? v128.load32_splat(weights, 12) : zero;
    let value0 = value;
    // Values that are missing from the last four are the one before them once more.
    let value1 = value0 + (keys > 1 ? stride : 0);
    let value2 = value1 + (keys > 2 ? stride : 0);
    let value3 = value2 + (keys > 3 ? stride : 0);
    let o = tile;
    const end = value + bytes;
    while (value0 < end) {
      const x0 = eight<Stored>(value0);
      let sum0 = madd(w0, low<Stored>(value0, x0, mask), v128.load(o));
      let sum1 = madd(w0, high<Stored>(value0, x0, mask), v128.load(o, 16));
      const x1 = eight<Stored>(value1);
      sum0 = madd(w1, low<Stored>(value1, x1, mask), sum0);
      sum1 = madd(w1, high<Stored>(value1, x1, mask), sum1);
      const x2 = eight<Stored>(value2);
      sum0 = madd(w2, low<Stored>(value2, x2, mask), sum0);
      sum1 = madd(w2, high<Stored>(value2, x2, mask), sum1);
      const x3 = eight<Stored>(value3);
      sum0 = madd(w3, low<Stored>(value3, x3, mask), sum0);
      sum1 = madd(w3, high<Stored>(value3, x3, mask), sum1);
      v128.store(o, sum0);
      v128.store(o, sum1, 16);
      o += 32;
      value0 += 8 * sizeof<Stored>();
      value1 += 8 * sizeof<Stored>();
      value2 += 8 * sizeof<Stored>();
      value3 += 8 * sizeof<Stored>();
    }
    touchAhead(4 * bytes);
    weights += 16;
    value += 4 * stride;
    keys -= 4;
  }
}

/**
 * The same for four rows: 8 columns of all of them at once.
 *
 * @param weights `[keys, 4]`
 * @param tile `[4, valueDim]`
 */
export function fewStoredValues<Stored>(
  weights: usize,
  keys: i32,
  value: usize,
  bytes: usize,
  stride: usize,
  tile: usize,
): void {
  const rowBytes = bytes * (4 / sizeof<Stored>());
  const weightsEnd = weights + 16 * <usize>keys;
  const end = value + bytes;
  // Lines of all shares are due from 512 bytes on: a page of 16 keys has less than that in eight columns.
  let due: usize = 0;
  while (value < end) {
    due += <usize>keys * 8 * sizeof<Stored>();
    if (due >= SHARES * LINE) {
      touchAhead(due);
      due = 0;
    }
    eightColumns<Stored>(weights, weightsEnd, value, stride, rowBytes, tile);
    value += 8 * sizeof<Stored>();
    tile += 32;
  }
  if (due > 0) touchAhead(due);
}

function eightColumns<Stored>(
  weights: usize,
  end: usize,
  value: usize,
  stride: usize,
  rowBytes: usize,
  tile: usize,
): void {
  const mask = maskOf<Stored>();
  const row1 = tile + rowBytes;
  const row2 = row1 + rowBytes;
  const row3 = row2 + rowBytes;
  let a0 = v128.load(tile);
  let b0 = v128.load(tile, 16);
  let a1 = v128.load(row1);
  let b1 = v128.load(row1, 16);
  let a2 = v128.load(row2);
  let b2 = v128.load(row2, 16);
  let a3 = v128.load(row3);
  let b3 = v128.load(row3, 16);
  while (weights < end) {
    const x = eight<Stored>(value);
    const v0 = low<Stored>(value, x, mask);
    const v1 = high<Stored>(value, x, mask);
    const w0 = v128.load32_splat(weights);
    a0 = madd(w0, v0, a0);
    b0 = madd(w0, v1, b0);
    const w1 = v128.load32_splat(weights, 4);
    a1 = madd(w1, v0, a1);
    b1 = madd(w1, v1, b1);
    const w2 = v128.load32_splat(weights, 8);
    a2 = madd(w2, v0, a2);
    b2 = madd(w2, v1, b2);
    const w3 = v128.load32_splat(weights, 12);
    a3 = madd(w3, v0, a3);
    b3 = madd(w3, v1, b3);
    weights += 16;
    value += stride;
  }
  v128.store(tile, a0);
  v128.store(tile, b0, 16);
  v128.store(row1, a1);
  v128.store(row1, b1, 16);
  v128.store(row2, a2);
  v128.store(row2, b2, 16);
  v128.store(row3, a3);
  v128.store(row3, b3, 16);
}

/** `addTile` of sums that are in the order of `low` and `high` of int8. */
export function addPairs(output: usize, bytes: usize, rescale: v128, tile: usize): void {
  const end = output + bytes;
  while (output < end) {
    const even = v128.load(tile);
    const odd = v128.load(tile, 16);
    v128.store(output, madd(v128.load(output), rescale, firstFour(even, odd)));
    v128.store(output, madd(v128.load(output, 16), rescale, lastFour(even, odd)), 16);
    output += 32;
    tile += 32;
  }
}
