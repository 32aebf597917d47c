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
fn to_float32(bits: u32) -> u32 {
  let sign = (bits & 0x8000u) << 16u;
  let exponent = (bits >> 10u) & 0x1fu;
  let fraction = bits & 0x3ffu;
  if (exponent == 0u) {
    return sign | bitcast<u32>(f32(fraction) * 0x1p-24);
  }
  return sign | (select(exponent + 112u, 255u, exponent == 31u) << 23u) | (fraction << 13u);
}
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let n = element_number(workgroup, counts, thread);
  if (n < (params.count + 1u) / 2u) {
    let pair = source[n];
    converted[2u * n] = to_float32(pair & 0xffffu);
    if (2u * n + 1u < params.count) {
      converted[2u * n + 1u] = to_float32(pair >> 16u);
    }
  }
}
