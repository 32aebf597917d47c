enable f16;
struct Params {
  workgroups: u32,
  firstWorkgroup: u32,
  first0: u32,
  size0: u32,
  whole0: u32,
  first1: u32,
  size1: u32,
  whole1: u32,
  first2: u32,
  size2: u32,
  whole2: u32,
  count: u32,
  firstPart: u32,
  bound: u32,
  last: u32,
  firstColumn: u32,
  columns: u32,
  valueDim: u32,
  weightsBase: u32,
  outputBase: u32,
  sumsBase: u32,
  part0Base: u32,
  part0Axis0: u32,
  part0Axis1: u32,
  part0Axis2: u32,
  part0Axis3: u32,
  part1Base: u32,
  part1Axis0: u32,
  part1Axis1: u32,
  part1Axis2: u32,
  part1Axis3: u32,
  part2Base: u32,
  part2Axis0: u32,
  part2Axis1: u32,
  part2Axis2: u32,
  part2Axis3: u32,
  part3Base: u32,
  part3Axis0: u32,
  part3Axis1: u32,
  part3Axis2: u32,
  part3Axis3: u32,
  part4Base: u32,
  part4Axis0: u32,
  part4Axis1: u32,
  part4Axis2: u32,
  part4Axis3: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> part0: array<f16>;
@group(0) @binding(2) var<storage, read> part1: array<f16>;
@group(0) @binding(3) var<storage, read> part2: array<f16>;
@group(0) @binding(4) var<storage, read> part3: array<f16>;
@group(0) @binding(5) var<storage, read> part4: array<f16>;
@group(0) @binding(6) var<storage, read> weights: array<u32>;
@group(0) @binding(7) var<storage, read_write> sums: array<f32>;
@group(0) @binding(8) var<storage, read_write> output: array<f16>;
fn element_number(workgroup: vec3<u32>, counts: vec3<u32>, thread: u32) -> u32 {
  let number = params.firstWorkgroup + workgroup.x + counts.x * (workgroup.y + counts.y * workgroup.z);
  return number * 64u + thread;
}
/** −∞ as bits. */
const no_key = 0xff800000u;
const not_a_number = 0x7fc00000u;
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  var rest = element_number(workgroup, counts, thread);
  let column = params.firstColumn + rest % params.columns;
  rest /= params.columns;
  let i2 = params.first2 + rest % params.size2;
  rest /= params.size2;
  let i1 = params.first1 + rest % params.size1;
  rest /= params.size1;
  if (rest >= params.size0) {
    return;
  }
  let i0 = params.first0 + rest;
  let row = ((i0 * params.whole1 + i1) * params.whole2 + i2);
  let element = row * params.valueDim + column;
  let words = params.weightsBase + row * params.count + params.firstPart;
  var sum = 0.0;
  if (params.firstPart != 0u) {
    sum = sums[params.sumsBase + element];
  }
  var valid = true;
  if (params.bound > 0u) {
    let bits = weights[words + 0u];
    if (bits == not_a_number) {
      valid = false;
    } else if (bits != no_key) {
      let at = params.part0Base + i0 * params.part0Axis0 + i1 * params.part0Axis1 + i2 * params.part0Axis2 + column * params.part0Axis3;
      sum += bitcast<f32>(bits) * f32(part0[at]);
    }
  }
  if (params.bound > 1u) {
    let bits = weights[words + 1u];
    if (bits == not_a_number) {
      valid = false;
    } else if (bits != no_key) {
      let at = params.part1Base + i0 * params.part1Axis0 + i1 * params.part1Axis1 + i2 * params.part1Axis2 + column * params.part1Axis3;
      sum += bitcast<f32>(bits) * f32(part1[at]);
    }
  }
  if (params.bound > 2u) {
    let bits = weights[words + 2u];
    if (bits == not_a_number) {
      valid = false;
    } else if (bits != no_key) {
      let at = params.part2Base + i0 * params.part2Axis0 + i1 * params.part2Axis1 + i2 * params.part2Axis2 + column * params.part2Axis3;
      sum += bitcast<f32>(bits) * f32(part2[at]);
    }
  }
  if (params.bound > 3u) {
    let bits = weights[words + 3u];
    if (bits == not_a_number) {
      valid = false;
    } else if (bits != no_key) {
      let at = params.part3Base + i0 * params.part3Axis0 + i1 * params.part3Axis1 + i2 * params.part3Axis2 + column * params.part3Axis3;
      sum += bitcast<f32>(bits) * f32(part3[at]);
    }
  }
  if (params.bound > 4u) {
    let bits = weights[words + 4u];
    if (bits == not_a_number) {
      valid = false;
    } else if (bits != no_key) {
      let at = params.part4Base + i0 * params.part4Axis0 + i1 * params.part4Axis1 + i2 * params.part4Axis2 + column * params.part4Axis3;
      sum += bitcast<f32>(bits) * f32(part4[at]);
    }
  }
  let merged = bitcast<f32>(select(not_a_number, bitcast<u32>(sum), valid));
  if (params.last == 0u) {
    sums[params.sumsBase + element] = merged;
  } else {
    output[params.outputBase + element] = f16(merged);
  }
}
