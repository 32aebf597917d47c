import { madd } from "../../math/simd";
import { chunkOf, touchAhead, touchRows } from "./touch";

/**
 * `tile += Σ weights[j] · value[j]` for one row: four values at a time, which leaves one load and one store to
 * four multiply-adds.
 *
 * @param weights `[keys]`
 * @param value values are `stride` bytes apart, and padded with zeros
 * @param bytes of a value, a multiple of 16
 * @param tile `[bytes/4]`: the tile's sum, which is formed by itself: see `panelValues`
 * @param touches whether values have to be brought into the cache, a few at a time
 */
export function singleValues(
  weights: usize,
  keys: i32,
  value: usize,
  stride: usize,
  bytes: usize,
  tile: usize,
  touches: bool,
): void {
  const tileEnd = tile + bytes;
  const chunk = chunkOf(bytes);
  let untilTouch = 0;
  while (keys >= 4) {
    if (touches && untilTouch == 0) {
      untilTouch = chunk;
      touchRows(value, stride, min(chunk, keys), bytes);
    }
    const w0 = v128.load32_splat(weights);
    const w1 = v128.load32_splat(weights, 4);
    const w2 = v128.load32_splat(weights, 8);
    const w3 = v128.load32_splat(weights, 12);
    let value0 = value;
    let value1 = value + stride;
    let value2 = value1 + stride;
    let value3 = value2 + stride;
    let o = tile;
    while (o < tileEnd) {
      let sum = madd(w0, v128.load(value0), v128.load(o));
      sum = madd(w1, v128.load(value1), sum);
      sum = madd(w2, v128.load(value2), sum);
      sum = madd(w3, v128.load(value3), sum);
      v128.store(o, sum);
      o += 16;
      value0 += 16;
      value1 += 16;
      value2 += 16;
      value3 += 16;
    }
    weights += 16;
    value += 4 * stride;
    keys -= 4;
    untilTouch -= 4;
  }
  while (keys > 0) {
    const w = v128.load32_splat(weights);
    let v = value;
    let o = tile;
    while (o < tileEnd) {
      v128.store(o, madd(w, v128.load(v), v128.load(o)));
      o += 16;
      v += 16;
    }
    weights += 4;
    value += stride;
    keys -= 1;
  }
}

/** `output = rescale · output + tile` for a row. */
export function addTile(output: usize, bytes: usize, rescale: v128, tile: usize): void {
  const end = output + bytes;
  while (output < end) {
    v128.store(output, madd(v128.load(output), rescale, v128.load(tile)));
    output += 16;
    tile += 16;
  }
}

/** Values that columns are added up of at once: fewer mean more loads and stores of sums, more do not stay in a cache. */
// @ts-ignore: decorator
@inline
const CHUNK: i32 = 16;

/**
 * `singleValues` for four rows: 16 columns of two of them at once, which takes fewer loads into all lanes than 8 columns
 * of four and as many loads in all. Columns that are left over are taken four at a time, of all rows.
 *
 * @param weights `[keys, 4]`
 * @param tile `[4, bytes/4]`
 */
export function fewValues(
  weights: usize,
  keys: i32,
  value: usize,
  stride: usize,
  bytes: usize,
  tile: usize,
): void {
  while (keys > 0) {
    const chunk = min(keys, CHUNK);
    const length = 16 * <usize>chunk;
    const end = weights + length;
    let from = value;
    let columns = tile;
    const columnsEnd = tile + (bytes & ~63);
    while (columns < columnsEnd) {
      touchAhead(64 * <usize>chunk);
      pairValues4(end, length, from, stride, bytes, columns);
      pairValues4(end + 8, length, from, stride, bytes, columns + 2 * bytes);
      from += 64;
      columns += 64;
    }
    while (columns < tile + bytes) {
      fewValues1(weights, end, from, stride, bytes, columns);
      from += 16;
      columns += 16;
    }
    weights = end;
    value += <usize>chunk * stride;
    keys -= chunk;
  }
}

/**
 * Counters of a loop begin as sums: see `pairScores`.
 *
 * @param length of the weights in bytes
 */
function pairValues4(
  end: usize,
  length: usize,
  from: usize,
  stride: usize,
  bytes: usize,
  output: usize,
): void {
  let weights = end - length;
  let value = from + stride - stride;
  const row1 = output + bytes;
  let a0 = v128.load(output);
  let a1 = v128.load(output, 16);
  let a2 = v128.load(output, 32);
  let a3 = v128.load(output, 48);
  let b0 = v128.load(row1);
  let b1 = v128.load(row1, 16);
  let b2 = v128.load(row1, 32);
  let b3 = v128.load(row1, 48);
  while (weights < end) {
    const w0 = v128.load32_splat(weights);
    const w1 = v128.load32_splat(weights, 4);
    const v0 = v128.load(value);
    a0 = madd(w0, v0, a0);
    b0 = madd(w1, v0, b0);
    const v1 = v128.load(value, 16);
    a1 = madd(w0, v1, a1);
    b1 = madd(w1, v1, b1);
    const v2 = v128.load(value, 32);
    a2 = madd(w0, v2, a2);
    b2 = madd(w1, v2, b2);
    const v3 = v128.load(value, 48);
    a3 = madd(w0, v3, a3);
    b3 = madd(w1, v3, b3);
    weights += 16;
    value += stride;
  }
  v128.store(output, a0);
  v128.store(output, a1, 16);
  v128.store(output, a2, 32);
  v128.store(output, a3, 48);
  v128.store(row1, b0);
  v128.store(row1, b1, 16);
  v128.store(row1, b2, 32);
  v128.store(row1, b3, 48);
}

function fewValues1(
  weights: usize,
  end: usize,
  value: usize,
  stride: usize,
  bytes: usize,
  output: usize,
): void {
  const row1 = output + bytes;
  const row2 = row1 + bytes;
  const row3 = row2 + bytes;
  let a0 = v128.load(output);
  let a1 = v128.load(row1);
  let a2 = v128.load(row2);
  let a3 = v128.load(row3);
  while (weights < end) {
    const v0 = v128.load(value);
    a0 = madd(v128.load32_splat(weights), v0, a0);
    a1 = madd(v128.load32_splat(weights, 4), v0, a1);
    a2 = madd(v128.load32_splat(weights, 8), v0, a2);
    a3 = madd(v128.load32_splat(weights, 12), v0, a3);
    weights += 16;
    value += stride;
  }
  v128.store(output, a0);
  v128.store(row1, a1);
  v128.store(row2, a2);
  v128.store(row3, a3);
}
