/** The first four of eight int16 as float32. */
// @ts-ignore: decorator
@inline
function lowFloats(x: v128): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(x));
}

/** The last four of eight int16 as float32. */
// @ts-ignore: decorator
@inline
function highFloats(x: v128): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(x));
}

/**
 * Copies rows of int8, each times its scale, to rows of float32, padded with zeros to a multiple of four.
 *
 * @param scale of the first row; scales are `scaleStride` bytes apart
 */
export function dequantiseRows(
  from: usize,
  fromStride: usize,
  rows: i32,
  size: i32,
  to: usize,
  toStride: usize,
  scale: usize,
  scaleStride: usize,
): void {
  while (rows > 0) {
    const factor = v128.load32_splat(scale);
    let source = from;
    let target = to;
    const end = from + <usize>size;
    const eights = from + <usize>(size & ~7);
    while (source < eights) {
      const x = v128.load8x8_s(source);
      v128.store(target, f32x4.mul(lowFloats(x), factor));
      v128.store(target, f32x4.mul(highFloats(x), factor), 16);
      source += 8;
      target += 32;
    }
    while (source < end) {
      store<f32>(target, <f32>load<i8>(source) * load<f32>(scale));
      source += 1;
      target += 4;
    }
    for (const padded = to + toStride; target < padded; target += 4) store<f32>(target, 0);
    from += fromStride;
    to += toStride;
    scale += scaleStride;
    rows -= 1;
  }
}
