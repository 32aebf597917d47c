import { madd } from "../../math/simd";
import { LEAST, lesserGroups, MOST, takesMost } from "./groups";

// The values of a tile, added to the output of a panel of 8 query rows, transposed:
// `output[c][r] = rescale[r] · output[c][r] + Σ weights[j][r] · value[j][c]`. Written like `panelScores`.
//
// The tile's sum is formed by itself and then added: in one sum over all keys, the rounding errors of a long
// cache of equal values would all go the same way. It goes through memory: kernels that end with more than
// stores spill inside their loops on V8 11.3. The sum of the first tile is the output.

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

/**
 * `sums[c][r] = Σ weights[j][r] · value[j][c]`.
 *
 * @param weights `[keys, 8]`
 * @param keys how many
 * @param value the first key's value; values are `stride` bytes apart
 * @param size elements of a value; reads up to three more after each, for sums that nobody needs
 * @param sums `[size, 8]`, `size` padded to a multiple of four
 * @param half whether only the first four rows are needed
 */
export function tileValues(
  weights: usize,
  keys: i32,
  value: usize,
  stride: usize,
  size: i32,
  sums: usize,
  half: bool,
): void {
  const bytes = 32 * <usize>keys;
  const end = weights + bytes;
  let columns = size;
  if (half) {
    while (columns > LEAST) {
      halfValues8(weights, end, value, stride, sums);
      value += 8 * 4;
      sums += 8 * 32;
      columns -= 8;
    }
  } else {
    for (let groups = lesserGroups(columns); groups > 0; groups--) {
      if (ASC_FEATURE_RELAXED_SIMD) values5(bytes, end, value - stride, stride, sums);
      else values4(weights, end, value, stride, sums);
      value += (MOST - 1) * 4;
      sums += (MOST - 1) * 32;
      columns -= MOST - 1;
    }
    while (takesMost(columns)) {
      if (ASC_FEATURE_RELAXED_SIMD) values6(bytes, end, value - stride, stride, sums);
      else values5(bytes, end, value - stride, stride, sums);
      value += MOST * 4;
      sums += MOST * 32;
      columns -= MOST;
    }
  }
  while (columns > 0) {
    // The last group goes back over columns that are done, and stores the same again.
    const again = columns < LEAST && size >= LEAST && !half ? LEAST - columns : 0;
    value -= again * 4;
    sums -= again * 32;
    values4(weights, end, value, stride, sums);
    value += LEAST * 4;
    sums += LEAST * 32;
    columns -= LEAST - again;
  }
}

/** 8 columns of the values for four rows: 8 accumulators. */
function halfValues8(weights: usize, end: usize, value: usize, stride: usize, sums: usize): void {
  let o0 = i32x4.splat(0);
  let o1 = i32x4.splat(0);
  let o2 = i32x4.splat(0);
  let o3 = i32x4.splat(0);
  let o4 = i32x4.splat(0);
  let o5 = i32x4.splat(0);
  let o6 = i32x4.splat(0);
  let o7 = i32x4.splat(0);
  while (weights < end) {
    const w = v128.load(weights);
    o0 = madd(v128.load32_splat(value), w, o0);
    o1 = madd(v128.load32_splat(value, 4), w, o1);
    o2 = madd(v128.load32_splat(value, 8), w, o2);
    o3 = madd(v128.load32_splat(value, 12), w, o3);
    o4 = madd(v128.load32_splat(value, 16), w, o4);
    o5 = madd(v128.load32_splat(value, 20), w, o5);
    o6 = madd(v128.load32_splat(value, 24), w, o6);
    o7 = madd(v128.load32_splat(value, 28), w, o7);
    weights += 32;
    value += stride;
  }
  v128.store(sums, o0, 0);
  v128.store(sums, o1, 32);
  v128.store(sums, o2, 64);
  v128.store(sums, o3, 96);
  v128.store(sums, o4, 128);
  v128.store(sums, o5, 160);
  v128.store(sums, o6, 192);
  v128.store(sums, o7, 224);
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
