import { madd } from "./simd";

// Constants of `exp2`. They are variables since V8 makes a vector of a constant anew wherever it is used,
// three instructions each, also in a loop; what it has to load, it keeps in a register.

/** Lowest exponent: 2^−127 comes out as exactly 0, and so does everything below it. */
export let exp2Lowest: v128 = f32x4.splat(-127);
/**
 * 1.5 · 2^23 + 127: adding it rounds to the nearest integer n and leaves n + 127, the exponent bits of
 * 2^n, in the lowest bits of the sum.
 */
export let exp2Magic: v128 = f32x4.splat(12583039);
export let exp2One: v128 = f32x4.splat(1);
// 2^f = 1 + f·(c1 + f·(c2 + …)) for |f| ≤ 1/2: build/fit-polynomials.js.
export let exp2C1: v128 = f32x4.splat(0.6931470036506653);
export let exp2C2: v128 = f32x4.splat(0.24022242426872253);
export let exp2C3: v128 = f32x4.splat(0.05550733581185341);
export let exp2C4: v128 = f32x4.splat(0.009671512991189957);
export let exp2C5: v128 = f32x4.splat(0.001326472731307149);

/**
 * 2^x for x ≤ 0 (up to 127, in fact): relative error below 2.5e-7, some 2 units in the last place;
 * exactly 1 at 0, exactly 0 below −126.5, and NaN for NaN. A loop passes its constants in, so that
 * they stay in registers.
 *
 * x = n + f with n an integer and |f| ≤ 1/2. 2^f is a polynomial whose constant term is exactly 1; it is
 * multiplied by 2^n rather than having n added to its exponent bits, since that addition would turn some
 * NaNs into numbers.
 */
// @ts-ignore: decorator
@inline
export function exp2With(
  x: v128,
  lowest: v128,
  magic: v128,
  one: v128,
  c1: v128,
  c2: v128,
  c3: v128,
  c4: v128,
  c5: v128,
): v128 {
  // pmax keeps its first operand unless the second is larger: NaN stays NaN.
  x = f32x4.pmax(x, lowest);
  const shifted = f32x4.add(x, magic);
  const f = f32x4.sub(x, f32x4.sub(shifted, magic));
  return exp2Parts(shifted, f, one, c1, c2, c3, c4, c5);
}

/**
 * 2^n · 2^f.
 *
 * @param shifted n + {@link exp2Magic}
 */
// @ts-ignore: decorator
@inline
function exp2Parts(
  shifted: v128,
  f: v128,
  one: v128,
  c1: v128,
  c2: v128,
  c3: v128,
  c4: v128,
  c5: v128,
): v128 {
  let p = madd(c5, f, c4);
  p = madd(p, f, c3);
  p = madd(p, f, c2);
  p = madd(p, f, c1);
  p = madd(p, f, one);
  return f32x4.mul(p, i32x4.shl(shifted, 23));
}

/**
 * 2^(factor · x) for x ≤ 0 and factor > 0, as {@link exp2With}. Fused multiply-adds save an instruction, and the rounding
 * of the product.
 *
 * @param lowest from {@link lowestOf}
 */
// @ts-ignore: decorator
@inline
export function exp2Times(
  x: v128,
  factor: v128,
  lowest: v128,
  magic: v128,
  one: v128,
  c1: v128,
  c2: v128,
  c3: v128,
  c4: v128,
  c5: v128,
): v128 {
  if (!ASC_FEATURE_RELAXED_SIMD) {
    return exp2With(f32x4.mul(x, factor), lowest, magic, one, c1, c2, c3, c4, c5);
  }
  x = f32x4.pmax(x, lowest);
  const shifted = madd(x, factor, magic);
  const f = madd(x, factor, f32x4.sub(magic, shifted));
  return exp2Parts(shifted, f, one, c1, c2, c3, c4, c5);
}

/** The lowest x, or product, that {@link exp2Times} looks at: what is below comes out as 0. */
// @ts-ignore: decorator
@inline
export function lowestOf(factor: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.div(exp2Lowest, factor) : exp2Lowest;
}

/** {@link exp2With} where it is not in a loop. */
export function exp2(x: v128): v128 {
  return exp2With(
    x,
    exp2Lowest,
    exp2Magic,
    exp2One,
    exp2C1,
    exp2C2,
    exp2C3,
    exp2C4,
    exp2C5,
  );
}

/** 2^x of one number. */
export function exp2Scalar(x: f32): f32 {
  return f32x4.extract_lane(exp2(f32x4.splat(x)), 0);
}

/**
 * log₂(x) for normal x > 0, to float64 accuracy but for some last bits: x = 2^n · m with
 * √½ ≤ m < √2, and ln m = 2·artanh((m − 1)/(m + 1)) as a series whose first term left out is below
 * 1e-16.
 */
export function log2(x: f64): f64 {
  const bits = reinterpret<u64>(x);
  let n = <i32>(bits >> 52) - 1023;
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    n += 1;
  }
  const t = (m - 1) / (m + 1);
  const t2 = t * t;
  let sum: f64 = 1.0 / 21;
  for (let k = 19; k > 0; k -= 2) sum = sum * t2 + 1.0 / <f64>k;
  return <f64>n + 2 * t * sum * 1.4426950408889634;
}
