struct Params {
  workgroups: u32,
  firstWorkgroup: u32,
  heads: u32,
  count: u32,
  rows: u32,
  headDim: u32,
  sourceBase: u32,
  sourceBatch: u32,
  sourceHead: u32,
  sourceRow: u32,
  sourceColumn: u32,
  targetBase: u32,
  targetEntry: u32,
  targetHead: u32,
  targetRow: u32,
  targetColumn: u32,
  scalesBase: u32,
  scalesEntry: u32,
  scalesHead: u32,
  scalesRow: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rules: array<i32>;
@group(0) @binding(2) var<storage, read> source: array<u32>;
@group(0) @binding(3) var<storage, read_write> cache: array<atomic<u32>>;
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
fn load(at: u32) -> u32 {
  return source[at];
}
fn store(at: u32, bits: u32) {
  let shift = 16u * (at & 1u);
  atomicAnd(&cache[at >> 1u], ~(0xffffu << shift));
  atomicOr(&cache[at >> 1u], bits << shift);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let number = params.firstWorkgroup + workgroup.x + counts.x * (workgroup.y + counts.y * workgroup.z);
  if (number >= params.workgroups) {
    return;
  }
  let head = number % params.heads;
  let token = number / params.heads;
  let slot = rules[token];
  if (slot < 0) {
    return;
  }
  let b = token / params.count;
  let i = token % params.count;
  let entry = u32(slot) / params.rows;
  let row = u32(slot) % params.rows;
  let from_row = params.sourceBase + b * params.sourceBatch + head * params.sourceHead + i * params.sourceRow;
  let to_row = params.targetBase + entry * params.targetEntry + head * params.targetHead + row * params.targetRow;
  for (var c = thread; c < params.headDim; c += 64u) {
    let at = from_row + c * params.sourceColumn;
    store(to_row + c * params.targetColumn, to_float16(load(at)));
  }
}
