import { emitKernel, type Fragment } from "../wgsl/emit.js";
import { fromFloat16Fragment } from "../wgsl/float16.js";
import type { Binding, Kernel } from "../wgsl/kernel.js";
import { linearFragment, linearThreads } from "../wgsl/linear.js";
import { kernelName } from "../wgsl/name.js";
import { type ParamsLayout, paramsLayout } from "../wgsl/params.js";

/** @param count elements to convert */
const convertParams: ParamsLayout<"workgroups" | "firstWorkgroup" | "count"> = paramsLayout({
  workgroups: "u32",
  firstWorkgroup: "u32",
  count: "u32",
});

const bindings: readonly Binding[] = [
  { name: "source", element: "u32", access: "read" },
  { name: "converted", element: "u32", access: "read_write" },
];

/** A kernel whose invocations convert a pair of elements each, number `n`. */
function convertKernel(
  name: string,
  dtype: string,
  conversions: readonly Fragment[],
  body: string,
): Kernel {
  const main = `@compute @workgroup_size(${linearThreads})
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let n = element_number(workgroup, counts, thread);
${body}
}
`;
  return emitKernel({
    name: kernelName({ operation: "convert", kernel: name, dtype }),
    params: convertParams,
    bindings,
    fragments: [linearFragment, ...conversions],
    body: main,
  });
}

/** binary16 to binary32, for devices without shader-f16: an invocation has a pair. */
export function unpackKernel(): Kernel {
  const body = `  if (n < (params.count + 1u) / 2u) {
    let pair = source[n];
    converted[2u * n] = to_float32(pair & 0xffffu);
    if (2u * n + 1u < params.count) {
      converted[2u * n + 1u] = to_float32(pair >> 16u);
    }
  }`;
  return convertKernel("unpack", "f16", [fromFloat16Fragment], body);
}

/** binary32 to binary16, to nearest, ties to even, beyond the range to ±∞. */
export const toFloat16Fragment: Fragment = {
  wgsl: `fn to_float16(bits: u32) -> u32 {
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return sign | 0x7e00u;
  }
  // 65520 and more.
  if (magnitude >= 0x477ff000u) {
    return sign | 0x7c00u;
  }
  // Below 2^-14 the spacing is 2^-24, as is that of binary32 just above 0.5: adding 0.5 rounds, and
  // leaves the number of spacings in the fraction.
  if (magnitude < 0x38800000u) {
    return sign | (bitcast<u32>(bitcast<f32>(magnitude) + 0.5) - 0x3f000000u);
  }
  let rounded = magnitude + 0xfffu + ((magnitude >> 13u) & 1u);
  return sign | ((rounded - 0x38000000u) >> 13u);
}`,
};

/** binary32 to binary16, for devices without shader-f16: an invocation has a pair. */
export function packKernel(): Kernel {
  const body = `  if (n < (params.count + 1u) / 2u) {
    var pair = to_float16(source[2u * n]);
    if (2u * n + 1u < params.count) {
      pair |= to_float16(source[2u * n + 1u]) << 16u;
    }
    converted[n] = pair;
  }`;
  return convertKernel("pack", "f16", [toFloat16Fragment], body);
}

/** Words as they are: an invocation has one. */
export function copyKernel(): Kernel {
  const body = `  if (n < params.count) {
    converted[n] = source[n];
  }`;
  return convertKernel("copy", "u32", [], body);
}
