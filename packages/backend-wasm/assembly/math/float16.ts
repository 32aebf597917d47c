// Constants of the conversion, as variables: see those of `exp2`.

/** Bits of a float16 that is sign extended and moved to float32's places. */
export let halfMask: v128 = i32x4.splat(0x8fffe000);
/** 2^112. */
let halfFactor: v128 = f32x4.splat(5192296858534828e18);
let halfLimit: v128 = f32x4.splat(65536);
let halfExponent: v128 = i32x4.splat(0x7f800000);

/** Four float16 at an address as float32. Exact, subnormal numbers, infinities and NaN included. */
// @ts-ignore: decorator
@inline
export function loadFloat16(from: usize): v128 {
  return loadFloat16With(from, halfMask, halfFactor, halfLimit, halfExponent);
}

/** {@link loadFloat16} for a loop, which passes the constants in. */
// @ts-ignore: decorator
@inline
function loadFloat16With(
  from: usize,
  mask: v128,
  factor: v128,
  limit: v128,
  exponent: v128,
): v128 {
  // Bits move to float32's places, sign extended; the exponent's bias differs by 112, and a
  // multiplication by 2^112 also normalises what was subnormal.
  const moved = v128.and(i32x4.shl(v128.load16x4_s(from), 13), mask);
  const value = f32x4.mul(moved, factor);
  // Exponent 31 has become 2^16, beyond float16's numbers: infinity and NaN want all exponent bits.
  const special = f32x4.ge(f32x4.abs(value), limit);
  return v128.or(value, v128.and(special, exponent));
}

/** One float16 at an address. */
export function loadFloat16Scalar(from: usize): f32 {
  const bits = <u32>load<u16>(from);
  const value = reinterpret<f32>((bits & 0x7fff) << 13) * <f32>5192296858534828e18;
  const magnitude = value >= 65536 ? reinterpret<f32>(reinterpret<u32>(value) | 0x7f800000) : value;
  return bits & 0x8000 ? -magnitude : magnitude;
}

/** The nearest float16 of four float32, ties to even, as the low halves of 32-bit lanes. */
// @ts-ignore: decorator
@inline
function toFloat16(value: v128): v128 {
  const sign = v128.and(i32x4.shr_u(value, 16), i32x4.splat(0x8000));
  const magnitude = v128.and(value, i32x4.splat(0x7fffffff));
  // Rounds by a carry into the bits that stay; the exponents' biases differ by 112.
  const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const rounded = i32x4.add(i32x4.add(magnitude, i32x4.splat(0xfff)), odd);
  const normal = i32x4.shr_u(i32x4.sub(rounded, i32x4.splat(0x38000000)), 13);
  // Below 2^−14 the spacing is 2^−24: adding 0.5, whose own spacing that is, rounds to it.
  const half = f32x4.splat(0.5);
  const subnormal = i32x4.sub(f32x4.add(magnitude, half), half);
  const small = i32x4.lt_s(magnitude, i32x4.splat(0x38800000));
  let bits = v128.bitselect(subnormal, normal, small);
  // 65520 is halfway to 2^16: infinity from there on.
  const large = i32x4.ge_s(magnitude, i32x4.splat(0x477ff000));
  bits = v128.bitselect(i32x4.splat(0x7c00), bits, large);
  const nan = i32x4.gt_s(magnitude, i32x4.splat(0x7f800000));
  bits = v128.bitselect(i32x4.splat(0x7e00), bits, nan);
  return v128.or(bits, sign);
}

/** Stores four float32 as float16. */
// @ts-ignore: decorator
@inline
export function storeFloat16(to: usize, value: v128): void {
  const bits = toFloat16(value);
  v128.store64_lane(to, i16x8.narrow_i32x4_u(bits, bits), 0);
}

/** Stores one float32 as float16. */
export function storeFloat16Scalar(to: usize, value: f32): void {
  store<u16>(to, i32x4.extract_lane(toFloat16(f32x4.splat(value)), 0));
}

/**
 * Copies rows to rows of float32, padded with zeros to a multiple of four.
 *
 * @typeParam T of an element: `u16` for float16, `f32`
 */
export function widenRows<T>(
  from: usize,
  fromStride: usize,
  rows: i32,
  size: i32,
  to: usize,
  toStride: usize,
): void {
  const whole = size & ~3;
  const mask = halfMask;
  const factor = halfFactor;
  const limit = halfLimit;
  const exponent = halfExponent;
  for (let r = 0; r < rows; r++) {
    let source = from;
    let target = to;
    const end = from + sizeof<T>() * <usize>whole;
    while (source < end) {
      const four = isFloat<T>()
        ? v128.load(source)
        : loadFloat16With(source, mask, factor, limit, exponent);
      v128.store(target, four);
      source += 4 * sizeof<T>();
      target += 16;
    }
    if (whole < size) {
      v128.store(target, i32x4.splat(0));
      for (let c = whole; c < size; c++) {
        store<f32>(target, isFloat<T>() ? load<f32>(source) : loadFloat16Scalar(source));
        source += sizeof<T>();
        target += 4;
      }
    }
    from += fromStride;
    to += toStride;
  }
}
