import { madd } from "../simd";

/**
 * `output += Σ weights[j] · value[j]` for one row: values are read one after another, in the order in
 * which they lie; the output stays in the first-level cache.
 *
 * @param weights `[keys]`
 * @param value values are `stride` bytes apart, and padded with zeros
 * @param bytes of a value, a multiple of 16
 * @param output `[bytes/4]`
 */
export function singleValues(
  weights: usize,
  keys: i32,
  value: usize,
  stride: usize,
  bytes: usize,
  output: usize,
): void {
  const outputEnd = output + bytes;
  while (keys >= 2) {
    const w0 = v128.load32_splat(weights);
    const w1 = v128.load32_splat(weights, 4);
    let v = value;
    let next = value + stride;
    let o = output;
    while (o < outputEnd) {
      v128.store(o, madd(w1, v128.load(next), madd(w0, v128.load(v), v128.load(o))));
      o += 16;
      v += 16;
      next += 16;
    }
    weights += 8;
    value += 2 * stride;
    keys -= 2;
  }
  if (keys > 0) {
    const w = v128.load32_splat(weights);
    let o = output;
    while (o < outputEnd) {
      v128.store(o, madd(w, v128.load(value), v128.load(o)));
      o += 16;
      value += 16;
    }
  }
}

/**
 * The same for four rows: 8 columns of all of them at once.
 *
 * @param weights `[keys, 4]`
 * @param output `[4, bytes/4]`
 */
export function fewValues(
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
