import { madd } from "../../math/simd";
import { lesserGroups, MOST } from "./groups";

/**
 * Adds the values of a tile to the output of a panel of 8 query rows, transposed:
 * `output[c][r] = rescale[r] · output[c][r] + Σ weights[j][r] · value[j][c]`. Written like `panelScores`.
 *
 * The tile's sum is formed by itself and then added: in one sum over all keys, the rounding errors of a long
 * cache of equal values would all go the same way. Outputs are rescaled beforehand: kernels that end with
 * more than an addition and a store spill inside their loops on V8 11.3.
 *
 * @param weights `[keys, 8]`, and then `rescale` `[8]`
 * @param keys how many
 * @param value the first key's value; values are `stride` bytes apart
 * @param size elements of a value
 * @param output `[size, 8]`
 */
export function panelValues(
  weights: usize,
  keys: i32,
  value: usize,
  stride: usize,
  size: i32,
  output: usize,
): void {
  rescalePanel(output, size, weights + 32 * <usize>keys);
  tileValues(weights, keys, value, stride, size, output);
}

/** `output[c][r] *= rescale[r]`; most tiles far into a row leave its maximum, and the factor is 1. */
export function rescalePanel(output: usize, size: i32, rescale: usize): void {
  const rescale0 = v128.load(rescale);
  const rescale1 = v128.load(rescale, 16);
  const one = f32x4.splat(1);
  if (i32x4.all_true(v128.and(f32x4.eq(rescale0, one), f32x4.eq(rescale1, one)))) return;
  const end = output + 32 * <usize>size;
  while (output < end) {
    v128.store(output, f32x4.mul(v128.load(output), rescale0));
    v128.store(output, f32x4.mul(v128.load(output, 16), rescale1), 16);
    output += 32;
  }
}

/** `output[c][r] += Σ weights[j][r] · value[j][c]`. */
function tileValues(
  weights: usize,
  keys: i32,
  value: usize,
  stride: usize,
  size: i32,
  output: usize,
): void {
  const bytes = 32 * <usize>keys;
  const end = weights + bytes;
  let columns = size;
  for (let groups = lesserGroups(columns); groups > 0; groups--) {
    if (ASC_FEATURE_RELAXED_SIMD) values5(bytes, end, value - stride, stride, output);
    else values4(weights, end, value, stride, output);
    value += (MOST - 1) * 4;
    output += (MOST - 1) * 32;
    columns -= MOST - 1;
  }
  while (columns >= MOST) {
    if (ASC_FEATURE_RELAXED_SIMD) values6(bytes, end, value - stride, stride, output);
    else values5(bytes, end, value - stride, stride, output);
    value += MOST * 4;
    output += MOST * 32;
    columns -= MOST;
  }
  if (columns >= 4) {
    values4(weights, end, value, stride, output);
    value += 4 * 4;
    output += 4 * 32;
    columns -= 4;
  }
  if (columns >= 2) {
    values2(weights, end, value, stride, output);
    value += 2 * 4;
    output += 2 * 32;
    columns -= 2;
  }
  if (columns > 0) values1(weights, end, value, stride, output);
}

/** 6 columns of the values: 12 accumulators. */
function values6(
  bytes: usize,
  end: usize,
  before: usize,
  stride: usize,
  output: usize,
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
  v128.store(output, f32x4.add(o00, v128.load(output, 0)), 0);
  v128.store(output, f32x4.add(o01, v128.load(output, 16)), 16);
  v128.store(output, f32x4.add(o10, v128.load(output, 32)), 32);
  v128.store(output, f32x4.add(o11, v128.load(output, 48)), 48);
  v128.store(output, f32x4.add(o20, v128.load(output, 64)), 64);
  v128.store(output, f32x4.add(o21, v128.load(output, 80)), 80);
  v128.store(output, f32x4.add(o30, v128.load(output, 96)), 96);
  v128.store(output, f32x4.add(o31, v128.load(output, 112)), 112);
  v128.store(output, f32x4.add(o40, v128.load(output, 128)), 128);
  v128.store(output, f32x4.add(o41, v128.load(output, 144)), 144);
  v128.store(output, f32x4.add(o50, v128.load(output, 160)), 160);
  v128.store(output, f32x4.add(o51, v128.load(output, 176)), 176);
}

/** 5 columns of the values: 10 accumulators. */
function values5(
  bytes: usize,
  end: usize,
  before: usize,
  stride: usize,
  output: usize,
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
  v128.store(output, f32x4.add(o00, v128.load(output, 0)), 0);
  v128.store(output, f32x4.add(o01, v128.load(output, 16)), 16);
  v128.store(output, f32x4.add(o10, v128.load(output, 32)), 32);
  v128.store(output, f32x4.add(o11, v128.load(output, 48)), 48);
  v128.store(output, f32x4.add(o20, v128.load(output, 64)), 64);
  v128.store(output, f32x4.add(o21, v128.load(output, 80)), 80);
  v128.store(output, f32x4.add(o30, v128.load(output, 96)), 96);
  v128.store(output, f32x4.add(o31, v128.load(output, 112)), 112);
  v128.store(output, f32x4.add(o40, v128.load(output, 128)), 128);
  v128.store(output, f32x4.add(o41, v128.load(output, 144)), 144);
}

/** 4 columns of the values: 8 accumulators. */
function values4(weights: usize, end: usize, value: usize, stride: usize, output: usize): void {
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
  v128.store(output, f32x4.add(o00, v128.load(output, 0)), 0);
  v128.store(output, f32x4.add(o01, v128.load(output, 16)), 16);
  v128.store(output, f32x4.add(o10, v128.load(output, 32)), 32);
  v128.store(output, f32x4.add(o11, v128.load(output, 48)), 48);
  v128.store(output, f32x4.add(o20, v128.load(output, 64)), 64);
  v128.store(output, f32x4.add(o21, v128.load(output, 80)), 80);
  v128.store(output, f32x4.add(o30, v128.load(output, 96)), 96);
  v128.store(output, f32x4.add(o31, v128.load(output, 112)), 112);
}

/** 2 columns of the values: 4 accumulators. */
function values2(weights: usize, end: usize, value: usize, stride: usize, output: usize): void {
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
  v128.store(output, f32x4.add(o00, v128.load(output, 0)), 0);
  v128.store(output, f32x4.add(o01, v128.load(output, 16)), 16);
  v128.store(output, f32x4.add(o10, v128.load(output, 32)), 32);
  v128.store(output, f32x4.add(o11, v128.load(output, 48)), 48);
}

/** 1 column of the values: 2 accumulators. */
function values1(weights: usize, end: usize, value: usize, stride: usize, output: usize): void {
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
  v128.store(output, f32x4.add(o00, v128.load(output, 0)), 0);
  v128.store(output, f32x4.add(o01, v128.load(output, 16)), 16);
}
