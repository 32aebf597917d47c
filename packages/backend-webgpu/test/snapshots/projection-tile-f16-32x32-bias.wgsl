struct Params {
  workgroups: u32,
  firstWorkgroup: u32,
  firstBatch: u32,
  firstRow: u32,
  firstOutput: u32,
  batches: u32,
  rows: u32,
  outputs: u32,
  inputSize: u32,
  tiles: u32,
  inputBase: u32,
  inputBatch: u32,
  inputRow: u32,
  inputColumn: u32,
  weightBase: u32,
  weightRow: u32,
  weightColumn: u32,
  biasBase: u32,
  biasStride: u32,
  outputBase: u32,
  outputBatch: u32,
  outputRow: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read> weight: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<u32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;
fn to_float32(bits: u32) -> u32 {
  let sign = (bits & 0x8000u) << 16u;
  let exponent = (bits >> 10u) & 0x1fu;
  let fraction = bits & 0x3ffu;
  if (exponent == 0u) {
    return sign | bitcast<u32>(f32(fraction) * 0x1p-24);
  }
  return sign | (select(exponent + 112u, 255u, exponent == 31u) << 23u) | (fraction << 13u);
}
fn load_input(at: u32) -> f32 {
  return bitcast<f32>(to_float32((input[at >> 1u] >> (16u * (at & 1u))) & 0xffffu));
}
fn load_weight(at: u32) -> f32 {
  return bitcast<f32>(to_float32((weight[at >> 1u] >> (16u * (at & 1u))) & 0xffffu));
}
fn load_bias(at: u32) -> f32 {
  return bitcast<f32>(to_float32((bias[at >> 1u] >> (16u * (at & 1u))) & 0xffffu));
}
var<workgroup> inputs: array<f32, 512>;
var<workgroup> weights: array<f32, 512>;

fn store(row: u32, column: u32, sums: vec4<f32>) {
  if (row >= params.batches * params.rows) {
    return;
  }
  let b = params.firstBatch + row / params.rows;
  let r = params.firstRow + row % params.rows;
  let at = params.outputBase + b * params.outputBatch + r * params.outputRow;
  for (var j = 0u; j < 4u; j++) {
    if (column + j < params.outputs) {
      let o = params.firstOutput + column + j;
      output[at + o] = sums[j] + load_bias(params.biasBase + o * params.biasStride);
    }
  }
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
  let top = (number / params.tiles) * 32u;
  let left = (number % params.tiles) * 32u;
  let row = 4u * (thread / 8u);
  let column = 4u * (thread % 8u);
  var sums0 = vec4<f32>();
  var sums1 = vec4<f32>();
  var sums2 = vec4<f32>();
  var sums3 = vec4<f32>();
  for (var first = 0u; first < params.inputSize; first += 16u) {
    for (var e = thread; e < 512u; e += 64u) {
      let line = e / 16u;
      let k = first + e % 16u;
      var x = 0.0;
      var w = 0.0;
      if (k < params.inputSize) {
        let at = top + line;
        if (at < params.batches * params.rows) {
          let b = params.firstBatch + at / params.rows;
          let r = params.firstRow + at % params.rows;
          x = load_input(params.inputBase + b * params.inputBatch + r * params.inputRow + k * params.inputColumn);
        }
        if (left + line < params.outputs) {
          let o = params.firstOutput + left + line;
          w = load_weight(params.weightBase + o * params.weightRow + k * params.weightColumn);
        }
      }
      inputs[e] = x;
      weights[e] = w;
    }
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) {
      let w = vec4<f32>(weights[(column + 0u) * 16u + k], weights[(column + 1u) * 16u + k], weights[(column + 2u) * 16u + k], weights[(column + 3u) * 16u + k]);
      sums0 += inputs[(row + 0u) * 16u + k] * w;
      sums1 += inputs[(row + 1u) * 16u + k] * w;
      sums2 += inputs[(row + 2u) * 16u + k] * w;
      sums3 += inputs[(row + 3u) * 16u + k] * w;
    }
    workgroupBarrier();
  }
  store(top + row + 0u, left + column, sums0);
  store(top + row + 1u, left + column, sums1);
  store(top + row + 2u, left + column, sums2);
  store(top + row + 3u, left + column, sums3);
}
