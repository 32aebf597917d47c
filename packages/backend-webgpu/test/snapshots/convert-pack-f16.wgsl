struct Params {
  workgroups: u32,
  firstWorkgroup: u32,
  count: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> converted: array<u32>;
fn element_number(workgroup: vec3<u32>, counts: vec3<u32>, thread: u32) -> u32 {
  let number = params.firstWorkgroup + workgroup.x + counts.x * (workgroup.y + counts.y * workgroup.z);
  return number * 64u + thread;
}
fn to_float16(bits: u32) -> u32 {
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
}
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let n = element_number(workgroup, counts, thread);
  if (n < (params.count + 1u) / 2u) {
    var pair = to_float16(source[2u * n]);
    if (2u * n + 1u < params.count) {
      pair |= to_float16(source[2u * n + 1u]) << 16u;
    }
    converted[n] = pair;
  }
}
