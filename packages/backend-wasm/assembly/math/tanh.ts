import { exp2 } from "./exp2";
import { madd } from "./simd";

/**
 * tanh x: relative error below 4e-7, also near 0, where 1 − 2/(e^2x + 1) alone would lose everything
 * to cancellation. There, an odd polynomial (build/fit-polynomials.js) stands in.
 */
export function tanh(x: v128): v128 {
  const magnitude = f32x4.abs(x);
  const square = f32x4.mul(magnitude, magnitude);
  let small = madd(f32x4.splat(-0.005704987328499556), square, f32x4.splat(0.0206390880048275));
  small = madd(small, square, f32x4.splat(-0.05373971536755562));
  small = madd(small, square, f32x4.splat(0.13331441581249237));
  small = madd(small, square, f32x4.splat(-0.3333328068256378));
  small = madd(f32x4.mul(small, square), magnitude, magnitude);

  // 2/(e^2x + 1) = 2·e^−2x/(1 + e^−2x), whose exponential cannot overflow.
  const power = exp2(f32x4.mul(magnitude, f32x4.splat(-2.8853900817779268)));
  const one = f32x4.splat(1);
  const large = f32x4.div(f32x4.sub(one, power), f32x4.add(one, power));

  const result = v128.bitselect(small, large, f32x4.lt(magnitude, f32x4.splat(0.625)));
  // x's sign. NaN compares with nothing and would come out as 1: it is handed on.
  const signed = v128.or(result, v128.and(x, i32x4.splat(0x80000000)));
  return v128.bitselect(signed, x, f32x4.eq(x, x));
}
