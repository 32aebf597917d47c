import { madd } from "../simd";

/**
 * Adds the values of a tile to the output of a panel of 8 query rows, transposed:
 * `output[c][r] += Σ weights[j][r] · value[j][c]`. As many columns at once as `panelScores` takes keys.
 *
 * @param weights `[keys, 8]`
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
  const end = weights + 32 * <usize>keys;
  let columns = size;
  if (ASC_FEATURE_RELAXED_SIMD) {
    // 4 columns at a time are slower than 6, and 1 or 2 far slower: as few as the size allows.
    while (columns >= 6 && columns != 8) {
      values6(weights, end, value, stride, output);
      value += 6 * 4;
      output += 6 * 32;
      columns -= 6;
    }
  } else {
    while (columns >= 5 && columns != 8) {
      values5(weights, end, value, stride, output);
      value += 5 * 4;
      output += 5 * 32;
      columns -= 5;
    }
  }
  while (columns >= 4) {
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
function values6(weights: usize, end: usize, value: usize, stride: usize, output: usize): void {
  let o00 = v128.load(output, 0);
  let o01 = v128.load(output, 16);
  let o10 = v128.load(output, 32);
  let o11 = v128.load(output, 48);
  let o20 = v128.load(output, 64);
  let o21 = v128.load(output, 80);
  let o30 = v128.load(output, 96);
  let o31 = v128.load(output, 112);
  let o40 = v128.load(output, 128);
  let o41 = v128.load(output, 144);
  let o50 = v128.load(output, 160);
  let o51 = v128.load(output, 176);
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
  v128.store(output, o00, 0);
  v128.store(output, o01, 16);
  v128.store(output, o10, 32);
  v128.store(output, o11, 48);
  v128.store(output, o20, 64);
  v128.store(output, o21, 80);
  v128.store(output, o30, 96);
  v128.store(output, o31, 112);
  v128.store(output, o40, 128);
  v128.store(output, o41, 144);
  v128.store(output, o50, 160);
  v128.store(output, o51, 176);
}

/** 5 columns of the values: 10 accumulators. */
function values5(weights: usize, end: usize, value: usize, stride: usize, output: usize): void {
  let o00 = v128.load(output, 0);
  let o01 = v128.load(output, 16);
  let o10 = v128.load(output, 32);
  let o11 = v128.load(output, 48);
  let o20 = v128.load(output, 64);
  let o21 = v128.load(output, 80);
  let o30 = v128.load(output, 96);
  let o31 = v128.load(output, 112);
  let o40 = v128.load(output, 128);
  let o41 = v128.load(output, 144);
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
  v128.store(output, o00, 0);
  v128.store(output, o01, 16);
  v128.store(output, o10, 32);
  v128.store(output, o11, 48);
  v128.store(output, o20, 64);
  v128.store(output, o21, 80);
  v128.store(output, o30, 96);
  v128.store(output, o31, 112);
  v128.store(output, o40, 128);
  v128.store(output, o41, 144);
}

/** 4 columns of the values: 8 accumulators. */
function values4(weights: usize, end: usize, value: usize, stride: usize, output: usize): void {
  let o00 = v128.load(output, 0);
  let o01 = v128.load(output, 16);
  let o10 = v128.load(output, 32);
  let o11 = v128.load(output, 48);
  let o20 = v128.load(output, 64);
  let o21 = v128.load(output, 80);
  let o30 = v128.load(output, 96);
  let o31 = v128.load(output, 112);
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
  v128.store(output, o00, 0);
  v128.store(output, o01, 16);
  v128.store(output, o10, 32);
  v128.store(output, o11, 48);
  v128.store(output, o20, 64);
  v128.store(output, o21, 80);
  v128.store(output, o30, 96);
  v128.store(output, o31, 112);
}

/** 2 columns of the values: 4 accumulators. */
function values2(weights: usize, end: usize, value: usize, stride: usize, output: usize): void {
  let o00 = v128.load(output, 0);
  let o01 = v128.load(output, 16);
  let o10 = v128.load(output, 32);
  let o11 = v128.load(output, 48);
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
  v128.store(output, o00, 0);
  v128.store(output, o01, 16);
  v128.store(output, o10, 32);
  v128.store(output, o11, 48);
}

/** 1 column of the values: 2 accumulators. */
function values1(weights: usize, end: usize, value: usize, stride: usize, output: usize): void {
  let o00 = v128.load(output, 0);
  let o01 = v128.load(output, 16);
  while (weights < end) {
    const w0 = v128.load(weights);
    const w1 = v128.load(weights, 16);
    const v0 = v128.load32_splat(value);
    o00 = madd(v0, w0, o00);
    o01 = madd(v0, w1, o01);
    weights += 32;
    value += stride;
  }
  v128.store(output, o00, 0);
  v128.store(output, o01, 16);
}
