import type { Fragment } from "./emit.js";

/** The lowest float32, a row's maximum before it has seen a key: WGSL has no constant −∞. */
export const lowestFragment: Fragment = { wgsl: "const lowest = -3.4028234e38;" };

/**
 * The log-sum-exp of a row that has seen no key, as bits: WGSL may assume that there are no infinities,
 * so that comparing floats does not tell it.
 */
export const noKeyFragment: Fragment = {
  wgsl: `/** −∞ as bits. */
const no_key = 0xff800000u;`,
};

/**
 * exp for arguments that are not positive. Arguments below −104 count as −104, whose exp is 0 in
 * float32, since WGSL does not say what exp of them is. NaN, the difference of two logits that
 * overflowed, is passed on rather than bounded: it must not turn into a weight of 0.
 */
export const softExpFragment: Fragment = {
  wgsl: `fn soft_exp(x: f32) -> f32 {
  return exp(select(x, -104.0, x < -104.0));
}
fn soft_exp4(x: vec4<f32>) -> vec4<f32> {
  return exp(select(x, vec4<f32>(-104.0), x < vec4<f32>(-104.0)));
}`,
};
