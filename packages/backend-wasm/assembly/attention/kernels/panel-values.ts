import { madd } from "../../math/simd";
import { lesserGroups, MOST } from "./groups";

/**
 * Adds the values of a tile to the output of a panel of 8 query rows, transposed:
 * `output[c][r] = rescale[r] · output[c][r] + Σ weights[j][r] · value[j][c]`. Written like `panelScores`.
 *
 * The tile's sum is formed by itself and then added: in one sum over all keys, the rounding errors of a long
 * cache of equal values would all go the same way. It goes through memory: kernels that end with more than
 * stores spill inside their loops on V8 11.3.
 *
 * @param weights `[keys, 8]`, followed by `rescale` `[8]`
 * @param keys how many
 * @param value the first key's value; values are `stride` bytes apart
 * @param size elements of a value
 * @param output `[size, 8]`
 * @param sums `[size, 8]`: room for the tile's sums
 */
export function panelValues(
  weights: usize,
  keys: i32,
  value: usize,
  stride: usize,
  size: i32,
  output: usize,
  sums: usize,
): void {
  tileValues(weights, keys, value, stride, size, sums);
  addPanel(output, size, weights + 32 * <usize>keys, sums);
}

/** `output[c][r] = rescale[r] · output[c][r] + sums[c][r]`. */
export function addPanel(output: usize, size: i32, rescale: usize, sums: usize): void {
  const rescale0 = v128.load(rescale);
  const rescale1 = v128.load(rescale, 16);
  const end = output + 32 * <usize>size;
  while (output < end) {
    v128.store(output, madd(v128.load(output), rescale0, v128.load(sums)));
    v128.store(output, madd(v128.load(output, 16), rescale1, v128.load(sums, 16)), 16);
    output += 32;
    sums += 32;
  }
}

/** `sums[c][r] = Σ weights[j][r] · value[j][c]`. */
function tileValues(
  weights: usize,
  keys: i32,
  value: usize,
  stride: usize,
  size: i32,
  sums: usize,
): void {
  const bytes = 32 * <usize>keys;
  const end = weights + bytes;
  let columns = size;
  for (let groups = lesserGroups(columns); groups > 0; groups--) {
    if (ASC_FEATURE_RELAXED_SIMD) values5(bytes, end, value - stride, stride, sums);
    else values4(weights, end, value, stride, sums);
    value += (MOST - 1) * 4;
    sums += (MOST - 1) * 32;
    columns -= MOST - 1;
  }
  while (columns >= MOST) {
    if (ASC_FEATURE_RELAXED_SIMD) values6(bytes, end, value - stride, stride, sums);
    else values5(bytes, end, value - stride, stride, sums);
    value += MOST * 4;
    sums += MOST * 32;
    columns -= MOST;
  }
  if (columns >= 4) {
    values4(weights, end, value, stride, sums);
    value += 4 * 4;
    sums += 4 * 32;
    columns -= 4;
  }
  if (columns >= 2) {
    values2(weights, end, value, stride, sums);
    value += 2 * 4;
    sums += 2 * 32;
    columns -= 2;
  }
  if (columns > 0) values1(weights, end, value, stride, sums);
}

/** 6 columns of the values: 12 accumulators. */
function values6(
  bytes: usize,
  end: usize,
  before: usize,
  stride: usize,
  sums: usize,
): void {
  let o00 = i32x4.splat(0);
  let o01 = i32x4.splat(0);
  let o10 = i32x4.splat(0);
  let o11 = i32x4.splat(0);
  let o20 = i32x4.splat(0);
  let o21 = i32x4.splat(0);
  let o30 = i32x4.splat(0);
  let o31 = i32x4.splat(0);
  let o40 = i32x4.splat(0);
  let o41 = i32x4.splat(0);
  let o50 = i32x4.splat(0);
  let o51 = i32x4.splat(0);
  let weights = end - bytes;
  let value = before + stride;
  v128.load32_splat(value, 4);
  v128.load32_splat(value, 8);
  v128.load32_splat(value, 12);
  v128.load32_splat(value, 16);
  v128.load32_splat(value, 20);
  while (weights < end) {
    const w0 = v128.load(weights);
    const w1 = v128.load(weights, 16);
    const v0 = v128.load32_splat(value);
    o00 = madd(v0, w0, o00);
    o01 = madd(v0, w1, o01);
    const v1 = v128.load32_splat(value, 4);
    o10 = madd(v1, w0, o10);
    o11 = madd(v1, w1, o11);
    const v2 = v128.load32_splat(value, 8);
    o20 = madd(v2, w0, o20);
    o21 = madd(v2, w1, o21);
    const v3 = v128.load32_splat(value, 12);
    o30 = madd(v3, w0, o30);
    o31 = madd(v3, w1, o31);
    const v4 = v128.load32_splat(value, 16);
    o40 = madd(v4, w0, o40);
    o41 = madd(v4, w1, o41);
    const v5 = v128.load32_splat(value, 20);
    o50 = madd(v5, w0, o50);
    o51 = madd(v5, w1, o51);
    weights += 32;
    value += stride;
  }
  v128.store(sums, o00, 0);
  v128.store(sums, o01, 16);
  v128.store(sums, o10, 32);
  v128.store(sums, o11, 48);
  v128.store(sums, o20, 64);
  v128.store(sums, o21, 80);
  v128.store(sums, o30, 96);
  v128.store(sums, o31, 112);
  v128.store(sums, o40, 128);
  v128.store(sums, o41, 144);
  v128.store(sums, o50, 160);
  v128.store(sums, o51, 176);
}

/** 5 columns of the values: 10 accumulators. */
function values5(
  bytes: usize,
  end: usize,
  before: usize,
  stride: usize,
  sums: usize,
): void {
  let o00 = i32x4.splat(0);
  let o01 = i32x4.splat(0);
  let o10 = i32x4.splat(0);
  let o11 = i32x4.splat(0);
  let o20 = i32x4.splat(0);
  let o21 = i32x4.splat(0);
  let o30 = i32x4.splat(0);
  let o31 = i32x4.splat(0);
  let o40 = i32x4.splat(0);
  let o41 = i32x4.splat(0);
  let weights = end - bytes;
  let value = before + stride;
  v128.load32_splat(value, 4);
  v128.load32_splat(value, 8);
  v128.load32_splat(value, 12);
  v128.load32_splat(value, 16);
  while (weights < end) {
    const w0 = v128.load(weights);
    const w1 = v128.load(weights, 16);
    const v0 = v128.load32_splat(value);
    o00 = madd(v0, w0, o00);
    o01 = madd(v0, w1, o01);
    const v1 = v128.load32_splat(value, 4);
    o10 = madd(v1, w0, o10);
    o11 = madd(v1, w1, o11);
    const v2 = v128.load32_splat(value, 8);
    o20 = madd(v2, w0, o20);
    o21 = madd(v2, w1, o21);
    const v3 = v128.load32_splat(value, 12);
    o30 = madd(v3, w0, o30);
    o31 = madd(v3, w1, o31);
    const v4 = v128.load32_splat(value, 16);
    o40 = madd(v4, w0, o40);
    o41 = madd(v4, w1, o41);
    weights += 32;
    value += stride;
  }
  v128.store(sums, o00, 0);
  v128.store(sums, o01, 16);
  v128.store(sums, o10, 32);
  v128.store(sums, o11, 48);
  v128.store(sums, o20, 64);
  v128.store(sums, o21, 80);
  v128.store(sums, o30, 96);
  v128.store(sums, o31, 112);
  v128.store(sums, o40, 128);
  v128.store(sums, o41, 144);
}

/** 4 columns of the values: 8 accumulators. */
function values4(weights: usize, end: usize, value: usize, stride: usize, sums: usize): void {
  let o00 = i32x4.splat(0);
  let o01 = i32x4.splat(0);
  let o10 = i32x4.splat(0);
  let o11 = i32x4.splat(0);
  let o20 = i32x4.splat(0);
  let o21 = i32x4.splat(0);
  let o30 = i32x4.splat(0);
  let o31 = i32x4.splat(0);
  while (weights < end) {
    const w0 = v128.load(weights);
    const w1 = v128.load(weights, 16);
    const v0 = v128.load32_splat(value);
    o00 = madd(v0, w0, o00);
    o01 = madd(v0, w1, o01);
    const v1 = v128.load32_splat(value, 4);
    o10 = madd(v1, w0, o10);
    o11 = madd(v1, w1, o11);
    const v2 = v128.load32_splat(value, 8);
    o20 = madd(v2, w0, o20);
    o21 = madd(v2, w1, o21);
    const v3 = v128.load32_splat(value, 12);
    o30 = madd(v3, w0, o30);
    o31 = madd(v3, w1, o31);
    weights += 32;
    value += stride;
  }
  v128.store(sums, o00, 0);
  v128.store(sums, o01, 16);
  v128.store(sums, o10, 32);
  v128.store(sums, o11, 48);
  v128.store(sums, o20, 64);
  v128.store(sums, o21, 80);
  v128.store(sums, o30, 96);
  v128.store(sums, o31, 112);
}

/** 2 columns of the values: 4 accumulators. */
function values2(weights: usize, end: usize, value: usize, stride: usize, sums: usize): void {
  let o00 = i32x4.splat(0);
  let o01 = i32x4.splat(0);
  let o10 = i32x4.splat(0);
  let o11 = i32x4.splat(0);
  while (weights < end) {
    const w0 = v128.load(weights);
    const w1 = v128.load(weights, 16);
    const v0 = v128.load32_splat(value);
    o00 = madd(v0, w0, o00);
    o01 = madd(v0, w1, o01);
    const v1 = v128.load32_splat(value, 4);
    o10 = madd(v1, w0, o10);
    o11 = madd(v1, w1, o11);
    weights += 32;
    value += stride;
  }
  v128.store(sums, o00, 0);
  v128.store(sums, o01, 16);
  v128.store(sums, o10, 32);
  v128.store(sums, o11, 48);
}

/** 1 column of the values: 2 accumulators. */
function values1(weights: usize, end: usize, value: usize, stride: usize, sums: usize): void {
  let o00 = i32x4.splat(0);
  let o01 = i32x4.splat(0);
  while (weights < end) {
    const w0 = v128.load(weights);
    const w1 = v128.load(weights, 16);
    const v0 = v128.load32_splat(value);
    o00 = madd(v0, w0, o00);
    o01 = madd(v0, w1, o01);
    weights += 32;
    value += stride;
  }
  v128.store(sums, o00, 0);
  v128.store(sums, o01, 16);
}
