import { madd } from "../../math/simd";
import { touchRows } from "./touch";

/**
 * Keys or values that are brought into the cache and then used: 8 KiB of them, and at least 16. Of more at once, the
 * first are gone again; fewer start the kernels more often.
 *
 * @param bytes of one
 */
export function chunkOf(bytes: usize): i32 {
  return max(16, min(64, <i32>(8192 / bytes))) & -4;
}

/**
 * `tile += Σ weights[j] · value[j]` for one row: four values at a time, which leaves one load and one store to
 * four multiply-adds.
 *
 * @param weights `[keys]`
 * @param value values are `stride` bytes apart, and padded with zeros
 * @param bytes of a value, a multiple of 16
 * @param tile `[bytes/4]`: the tile's sum, which is formed by itself: see `panelValues`
 * @param sink see `touchRows`
 */
export function singleValues(
  weights: usize,
  keys: i32,
  value: usize,
  stride: usize,
  bytes: usize,
  tile: usize,
  sink: usize,
): void {
  const tileEnd = tile + bytes;
  const chunk = chunkOf(bytes);
  let untilTouch = 0;
  while (keys >= 4) {
    if (untilTouch == 0) {
      untilTouch = chunk;
      touchRows(value, stride, min(chunk, keys), bytes, sink);
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

/**
 * `singleValues` for four rows: 8 columns of all of them at once.
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
  sink: usize,
): void {
  const most = chunkOf(bytes);
  while (keys > 0) {
    const chunk = min(keys, most);
    touchRows(value, stride, chunk, bytes, sink);
    fewColumns(weights, chunk, value, stride, bytes, tile);
    weights += 16 * <usize>chunk;
    value += <usize>chunk * stride;
    keys -= chunk;
  }
}

function fewColumns(
  weights: usize,
  keys: i32,
  value: usize,
  stride: usize,
  bytes: usize,
  output: usize,
): void {
  const end = weights + 16 * <usize>keys;
  const columnsEnd = output + (bytes & ~31);
  while (output < columnsEnd) {
    fewValues2(weights, end, value, stride, bytes, output);
    value += 32;
    output += 32;
  }
  if (bytes & 16) fewValues1(weights, end, value, stride, bytes, output);
}

function fewValues2(
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
  let b0 = v128.load(output, 16);
  let a1 = v128.load(row1);
  let b1 = v128.load(row1, 16);
  let a2 = v128.load(row2);
  let b2 = v128.load(row2, 16);
  let a3 = v128.load(row3);
  let b3 = v128.load(row3, 16);
  while (weights < end) {
    const v0 = v128.load(value);
    const v1 = v128.load(value, 16);
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
  v128.store(output, a0);
  v128.store(output, b0, 16);
  v128.store(row1, a1);
  v128.store(row1, b1, 16);
  v128.store(row2, a2);
  v128.store(row2, b2, 16);
  v128.store(row3, a3);
  v128.store(row3, b3, 16);
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
