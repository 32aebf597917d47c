import type { Fragment } from "./emit.js";

/**
 * The bits of a float16 number as those of the equal float32 one. By integers, since `unpack2x16float`
 * may flush subnormal numbers, and every device has them.
 */
export const fromFloat16Fragment: Fragment = {
  wgsl: `fn to_float32(bits: u32) -> u32 {
  let sign = (bits & 0x8000u) << 16u;
  let exponent = (bits >> 10u) & 0x1fu;
  let fraction = bits & 0x3ffu;
  if (exponent == 0u) {
    return sign | bitcast<u32>(f32(fraction) * 0x1p-24);
  }
  return sign | (select(exponent + 112u, 255u, exponent == 31u) << 23u) | (fraction << 13u);
}`,
};
