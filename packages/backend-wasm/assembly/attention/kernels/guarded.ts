import { madd } from "../../math/simd";

/** Whether `rows` rows of `size` float32, `stride` bytes apart, have neither infinities nor NaN. */
export function allFinite(from: usize, stride: usize, rows: i32, size: i32): bool {
  const whole = size & ~3;
  let bad = i32x4.splat(0);
  let scalarBad: u32 = 0;
  for (let j = 0; j < rows; j++) {
    let p = from;
    const end = from + 4 * <usize>whole;
    while (p < end) {
      // x − x is 0 for every finite number, and NaN, which has bits, for all else.
      const x = v128.load(p);
      bad = v128.or(bad, f32x4.sub(x, x));
      p += 16;
    }
    for (let c = whole; c < size; c++) {
      const x = load<f32>(p);
      scalarBad |= reinterpret<u32>(x - x);
      p += 4;
    }
    from += stride;
  }
  return !v128.any_true(bad) && scalarBad == 0;
}

// Values of hidden keys may be infinite or NaN, which times their weight of 0 is NaN. These kernels leave
// weights of 0 out. They are slow and rarely needed; otherwise they form the same sums in the same order as
// the kernels that they stand in for, so that a row's bits do not depend on what is stored in hidden keys.

/** A product added to a sum, where the weight is not 0. */
// @ts-ignore: decorator
@inline
function guardedMadd(weight: v128, value: v128, sum: v128): v128 {
  const hidden = f32x4.eq(weight, i32x4.splat(0));
  return v128.bitselect(sum, madd(value, weight, sum), hidden);
}

/** `tileValues` that leaves weights of 0 out. */
export function guardedTileValues(
  weights: usize,
  keys: i32,
  value: usize,
  stride: usize,
  size: i32,
  sums: usize,
): void {
  const end = weights + 32 * <usize>keys;
  let to = sums;
  for (let c = 0; c < size; c++) {
    let sum0 = i32x4.splat(0);
    let sum1 = i32x4.splat(0);
    let v = value + 4 * <usize>c;
    for (let w = weights; w < end; w += 32) {
      const element = v128.load32_splat(v);
      sum0 = guardedMadd(v128.load(w), element, sum0);
      sum1 = guardedMadd(v128.load(w, 16), element, sum1);
      v += stride;
    }
    v128.store(to, sum0);
    v128.store(to, sum1, 16);
    to += 32;
  }
}

/** `fewValues` that leaves weights of 0 out. */
export function guardedFewValues(
  weights: usize,
  keys: i32,
  value: usize,
  stride: usize,
  bytes: usize,
  tile: usize,
): void {
  const end = weights + 16 * <usize>keys;
  for (let r: usize = 0; r < 4; r++) {
    for (let c: usize = 0; c < bytes; c += 16) {
      let sum = v128.load(tile);
      let v = value + c;
      for (let w = weights + 4 * r; w < end; w += 16) {
        sum = guardedMadd(v128.load32_splat(w), v128.load(v), sum);
        v += stride;
      }
      v128.store(tile, sum);
      tile += 16;
    }
  }
}
