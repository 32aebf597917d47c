/**
 * e^x for x ≤ 0 to float64 accuracy but for some last bits; exactly 1 at 0, 0 from −746 down, and NaN for NaN.
 *
 * x = n · ln 2 + r with n an integer and |r| ≤ ½ ln 2. e^r is its Taylor series, whose first term left out is
 * below 5e-18.
 */
export function exp(x: f64): f64 {
  if (!(x > -746)) return x == x ? 0 : x;
  const n = nearest(x * 1.4426950408889634);
  // ln 2 as its first 32 bits, whose product with n is exact, and the rest.
  const r = x - n * 0.6931471803691238 - n * 1.9082149292705877e-10;
  let sum: f64 = 1.6059043836821613e-10;
  sum = sum * r + 2.08767569878681e-9;
  sum = sum * r + 2.505210838544172e-8;
  sum = sum * r + 2.755731922398589e-7;
  sum = sum * r + 2.7557319223985893e-6;
  sum = sum * r + 2.48015873015873e-5;
  sum = sum * r + 1.984126984126984e-4;
  sum = sum * r + 1.388888888888889e-3;
  sum = sum * r + 8.333333333333333e-3;
  sum = sum * r + 4.1666666666666664e-2;
  sum = sum * r + 0.16666666666666666;
  sum = sum * r + 0.5;
  sum = sum * r + 1;
  sum = sum * r + 1;
  // Two factors, since 2^n alone may be below the normal numbers.
  const half = <i32>n / 2;
  return sum * powerOfTwo(half) * powerOfTwo(<i32>n - half);
}

/** 2^n for −1022 ≤ n ≤ 1023. */
// @ts-ignore: decorator
@inline
function powerOfTwo(n: i32): f64 {
  return reinterpret<f64>(<u64>(n + 1023) << 52);
}
