/**
 * e^x of any float32: relative error below 3e-7; +∞ from 88.73 up, 0 from −104 down, with the numbers between that are
 * not normal, and NaN for NaN.
 *
 * x = n · ln 2 + r with n an integer and |r| ≤ ½ ln 2; e^r is its Taylor series, whose first term left out is below 2e-8.
 */
export function expAny(x: v128): v128 {
  const scaled = f32x4.mul(x, f32x4.splat(1.44269504088896));
  // pmax and pmin keep their first operand unless the second is past it: NaN stays NaN.
  const bounded = f32x4.pmin(f32x4.pmax(scaled, f32x4.splat(-151)), f32x4.splat(129));
  const n = f32x4.nearest(bounded);
  // ln 2 as its first bits, whose product with n is exact, and the rest.
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.12194440e-4)));
  // Beyond the bounds, whatever r is, 2^n is 0 or infinite: r must only be no NaN.
  r = f32x4.pmin(f32x4.pmax(r, f32x4.splat(-1)), f32x4.splat(1));
  let p = f32x4.splat(1.0 / 5040);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.0 / 720));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.0 / 120));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.0 / 24));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.0 / 6));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.5));
  p = f32x4.add(f32x4.mul(f32x4.mul(p, r), r), r);
  p = f32x4.add(p, f32x4.splat(1));
  // Two factors, since 2^n alone may be beyond the normal numbers.
  const whole = i32x4.trunc_sat_f32x4_s(n);
  const half = i32x4.shr_s(whole, 1);
  return f32x4.mul(f32x4.mul(p, powersOfTwo(half)), powersOfTwo(i32x4.sub(whole, half)));
}

/** 2^n for −126 ≤ n ≤ 127. */
// @ts-ignore: decorator
@inline
function powersOfTwo(n: v128): v128 {
  return i32x4.shl(i32x4.add(n, i32x4.splat(127)), 23);
}

/**
 * ln x of any float32: relative error below 3e-7; −∞ for 0, NaN below 0, +∞ for +∞ and NaN for NaN.
 *
 * x = 2^n · m with √½ ≤ m < √2, and ln m = 2 · artanh t, t = (m − 1) / (m + 1): a series whose first term left out is
 * below 3e-9.
 */
export function logAny(x: v128): v128 {
  // Numbers that are not normal are scaled by 2^23.
  const small = f32x4.lt(x, f32x4.splat(1.17549435e-38));
  const scaled = v128.bitselect(f32x4.mul(x, f32x4.splat(8388608)), x, small);
  // The exponent that leaves m from √½ to √2: the bits of √½ are subtracted first.
  const shifted = i32x4.sub(scaled, i32x4.splat(0x3f3504f3));
  let n = i32x4.shr_s(shifted, 23);
  const m = i32x4.sub(scaled, i32x4.shl(n, 23));
  n = i32x4.sub(n, v128.and(small, i32x4.splat(23)));
  const one = f32x4.splat(1);
  const t = f32x4.div(f32x4.sub(m, one), f32x4.add(m, one));
  const square = f32x4.mul(t, t);
  let p = f32x4.splat(2.0 / 9);
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(2.0 / 7));
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(2.0 / 5));
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(2.0 / 3));
  const tail = f32x4.mul(f32x4.mul(p, square), t);
  const exponent = f32x4.convert_i32x4_s(n);
  let y = f32x4.add(tail, f32x4.mul(exponent, f32x4.splat(-2.12194440e-4)));
  y = f32x4.add(y, f32x4.add(t, t));
  y = f32x4.add(y, f32x4.mul(exponent, f32x4.splat(0.693359375)));
  const zero = i32x4.splat(0);
  y = v128.bitselect(f32x4.splat(-Infinity), y, f32x4.eq(x, zero));
  // +∞ and NaN as they are, NaN below 0.
  y = v128.bitselect(x, y, f32x4.eq(x, f32x4.splat(Infinity)));
  y = v128.bitselect(f32x4.splat(NaN), y, f32x4.lt(x, zero));
  return v128.bitselect(y, x, f32x4.eq(x, x));
}
