struct Params {
  workgroups: u32,
  firstWorkgroup: u32,
  first0: u32,
  size0: u32,
  whole0: u32,
  count: u32,
  firstPart: u32,
  bound: u32,
  last: u32,
  weightsBase: u32,
  logSumExpBase: u32,
  part0Base: u32,
  part0Axis0: u32,
  part1Base: u32,
  part1Axis0: u32,
  part2Base: u32,
  part2Axis0: u32,
  part3Base: u32,
  part3Axis0: u32,
  part4Base: u32,
  part4Axis0: u32,
  part5Base: u32,
  part5Axis0: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> part0: array<u32>;
@group(0) @binding(2) var<storage, read> part1: array<u32>;
@group(0) @binding(3) var<storage, read> part2: array<u32>;
@group(0) @binding(4) var<storage, read> part3: array<u32>;
@group(0) @binding(5) var<storage, read> part4: array<u32>;
@group(0) @binding(6) var<storage, read> part5: array<u32>;
@group(0) @binding(7) var<storage, read_write> weights: array<u32>;
@group(0) @binding(8) var<storage, read_write> log_sum_exp: array<u32>;
fn element_number(workgroup: vec3<u32>, counts: vec3<u32>, thread: u32) -> u32 {
  let number = params.firstWorkgroup + workgroup.x + counts.x * (workgroup.y + counts.y * workgroup.z);
  return number * 64u + thread;
}
/** −∞ as bits. */
const no_key = 0xff800000u;
const not_a_number = 0x7fc00000u;
const lowest = -3.4028234e38;
fn soft_exp(x: f32) -> f32 {
  return exp(select(x, -104.0, x < -104.0));
}
fn soft_exp4(x: vec4<f32>) -> vec4<f32> {
  return exp(select(x, vec4<f32>(-104.0), x < vec4<f32>(-104.0)));
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
/** exp(own − largest), and exactly 1 for the largest itself. */
fn relative_weight(own: f32, largest: f32) -> f32 {
  return select(soft_exp(own - largest), 1.0, own == largest);
}
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  var rest = element_number(workgroup, counts, thread);
  if (rest >= params.size0) {
    return;
  }
  let i0 = params.first0 + rest;
  let row = i0;
  let words = params.weightsBase + row * params.count;
  if (params.bound > 0u) {
    let at = params.part0Base + i0 * params.part0Axis0;
    weights[words + params.firstPart + 0u] = to_float32((part0[at / 2u] >> (16u * (at % 2u))) & 0xffffu);
  }
  if (params.bound > 1u) {
    let at = params.part1Base + i0 * params.part1Axis0;
    weights[words + params.firstPart + 1u] = to_float32((part1[at / 2u] >> (16u * (at % 2u))) & 0xffffu);
  }
  if (params.bound > 2u) {
    let at = params.part2Base + i0 * params.part2Axis0;
    weights[words + params.firstPart + 2u] = to_float32((part2[at / 2u] >> (16u * (at % 2u))) & 0xffffu);
  }
  if (params.bound > 3u) {
    let at = params.part3Base + i0 * params.part3Axis0;
    weights[words + params.firstPart + 3u] = to_float32((part3[at / 2u] >> (16u * (at % 2u))) & 0xffffu);
  }
  if (params.bound > 4u) {
    let at = params.part4Base + i0 * params.part4Axis0;
    weights[words + params.firstPart + 4u] = to_float32((part4[at / 2u] >> (16u * (at % 2u))) & 0xffffu);
  }
  if (params.bound > 5u) {
    let at = params.part5Base + i0 * params.part5Axis0;
    weights[words + params.firstPart + 5u] = to_float32((part5[at / 2u] >> (16u * (at % 2u))) & 0xffffu);
  }
  if (params.last == 0u) {
    return;
  }
  var largest = lowest;
  var seen = false;
  var finite = true;
  for (var part = 0u; part < params.count; part++) {
    let bits = weights[words + part];
    if (bits == no_key) {
      continue;
    }
    seen = true;
    if ((bits & 0x7f800000u) == 0x7f800000u) {
      finite = false;
    } else {
      largest = max(largest, bitcast<f32>(bits));
    }
  }
  if (!seen || !finite) {
    // Parts without keys stay as they are.
    for (var part = 0u; part < params.count; part++) {
      if (weights[words + part] != no_key) {
        weights[words + part] = not_a_number;
      }
    }
    log_sum_exp[params.logSumExpBase + row] = select(no_key, not_a_number, seen);
    return;
  }
  var sum = 0.0;
  for (var part = 0u; part < params.count; part++) {
    let bits = weights[words + part];
    if (bits != no_key) {
      sum += relative_weight(bitcast<f32>(bits), largest);
    }
  }
  // A part that is alone in its row keeps its bits: neither division nor logarithm has to be exact.
  let alone = sum == 1.0;
  for (var part = 0u; part < params.count; part++) {
    let bits = weights[words + part];
    if (bits != no_key) {
      let weight = relative_weight(bitcast<f32>(bits), largest);
      weights[words + part] = bitcast<u32>(select(weight / sum, weight, alone));
    }
  }
  log_sum_exp[params.logSumExpBase + row] = bitcast<u32>(select(largest + log(sum), largest, alone));
}
