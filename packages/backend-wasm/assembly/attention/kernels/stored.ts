import { halfMask } from "../../math/float16";

// Elements of keys and values as float32 vectors, eight at a time, for kernels that convert them in registers. `Stored`
// is how they are stored: `i8`, whose scales are left to the caller, times 2^16, or `u16` for float16, times 2^−112: with
// the bits at float32's places, exponents are less by 112, and what multiplies them makes up for that. Infinities and
// NaN come out as numbers: see `anySpecial`.
//
// Eight int8 are loaded as int16; those at even places become one vector and those at odd places the other: an int16 is
// brought into the upper half of an int32 by one instruction, a shift or an AND, where extending the upper half
// of the vector takes two.

/** 2^−16, which makes up for how int8 are read. */
// @ts-ignore: decorator
@inline
export const INT8_FACTOR: f32 = 1.52587890625e-5;

/** 2^112. */
// @ts-ignore: decorator
@inline
export const HALF_FACTOR: f32 = 5192296858534828e18;

/** Eight int8 as int16; nothing for float16. */
// @ts-ignore: decorator
@inline
export function eight<Stored>(from: usize): v128 {
  return sizeof<Stored>() == 1 ? v128.load8x8_s(from) : i32x4.splat(0);
}

/**
 * The first four of eight elements; of int8 those at even places.
 *
 * @param loaded what `eight` gave
 * @param mask `maskOf`
 */
// @ts-ignore: decorator
@inline
export function low<Stored>(from: usize, loaded: v128, mask: v128): v128 {
  if (sizeof<Stored>() == 1) return f32x4.convert_i32x4_s(i32x4.shl(loaded, 16));
  return v128.and(i32x4.shl(v128.load16x4_s(from), 13), mask);
}

/** The last four; of int8 those at odd places. */
// @ts-ignore: decorator
@inline
export function high<Stored>(from: usize, loaded: v128, mask: v128): v128 {
  if (sizeof<Stored>() == 1) return f32x4.convert_i32x4_s(v128.and(loaded, mask));
  return v128.and(i32x4.shl(v128.load16x4_s(from, 8), 13), mask);
}

/** Bits of a float16 without its sign, in all lanes: a variable, as the constants of `exp2`. */
let halfMagnitude: v128 = i32x4.splat(0x7fff7fff);

/** Whether rows of float16, of a multiple of eight elements, hold infinities or NaN. Brings them into the cache. */
export function anySpecial(from: usize, stride: usize, rows: i32, bytes: usize): bool {
  const mask = halfMagnitude;
  let most = i32x4.splat(0);
  let other = most;
  if (stride == bytes) {
    // Rows without a gap are one row.
    bytes *= rows;
    rows = 1;
  }
  while (rows > 0) {
    let p = from;
    const end = from + bytes;
    const last = from + (bytes & -64);
    while (p < last) {
      most = i16x8.max_u(most, v128.and(v128.load(p), mask));
      other = i16x8.max_u(other, v128.and(v128.load(p, 16), mask));
      most = i16x8.max_u(most, v128.and(v128.load(p, 32), mask));
      other = i16x8.max_u(other, v128.and(v128.load(p, 48), mask));
      p += 64;
    }
    while (p < end) {
      most = i16x8.max_u(most, v128.and(v128.load(p), mask));
      p += 16;
    }
    from += stride;
    rows -= 1;
  }
  most = i16x8.max_u(most, other);
  return v128.any_true(i16x8.ge_u(most, i32x4.splat(0x7c007c00)));
}

/** The upper half of an int32, in all lanes: a variable, as the constants of `exp2`. */
let upperHalf: v128 = i32x4.splat(<i32>0xffff0000);

/** The mask that `low` and `high` take. */
// @ts-ignore: decorator
@inline
export function maskOf<Stored>(): v128 {
  return sizeof<Stored>() == 1 ? upperHalf : halfMask;
}

/** The first four of eight int8, or of what belongs to them, in the order of `low` and `high`. */
// @ts-ignore: decorator
@inline
export function firstFour(even: v128, odd: v128): v128 {
  return v128.shuffle<f32>(even, odd, 0, 4, 1, 5);
}

/** The last four. */
// @ts-ignore: decorator
@inline
export function lastFour(even: v128, odd: v128): v128 {
  return v128.shuffle<f32>(even, odd, 2, 6, 3, 7);
}

/** The four of eight neighbours that are at even places. */
// @ts-ignore: decorator
@inline
export function atEven(first: v128, last: v128): v128 {
  return v128.shuffle<f32>(first, last, 0, 2, 4, 6);
}

/** The four at odd places. */
// @ts-ignore: decorator
@inline
export function atOdd(first: v128, last: v128): v128 {
  return v128.shuffle<f32>(first, last, 1, 3, 5, 7);
}
