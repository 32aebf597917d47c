struct Params {
  workgroups: u32,
  firstWorkgroup: u32,
  firstBatch: u32,
  firstHead: u32,
  firstRow: u32,
  heads: u32,
  rows: u32,
  inputBase: u32,
  inputBatch: u32,
  inputHead: u32,
  inputRow: u32,
  inputColumn: u32,
  outputBase: u32,
  outputBatch: u32,
  outputHead: u32,
  outputRow: u32,
  size: u32,
  weightBase: u32,
  weightColumn: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rules: array<f32>;
@group(0) @binding(2) var<storage, read> input: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

var<workgroup> sums: array<f32, 64>;

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
  let row = params.firstRow + number % params.rows;
  let rest = number / params.rows;
  let head = params.firstHead + rest % params.heads;
  let batch = params.firstBatch + rest / params.heads;
  let input_at = params.inputBase + batch * params.inputBatch + head * params.inputHead + row * params.inputRow;
  let output_at = params.outputBase + batch * params.outputBatch + head * params.outputHead + row * params.outputRow;
  var sum = 0.0;
  for (var i = thread; i < params.size; i += 64u) {
    let x = f32(input[input_at + i * params.inputColumn]);
    sum += x * x;
  }
  sums[thread] = sum;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      sums[thread] += sums[thread + half];
    }
  }
  workgroupBarrier();
  let root = sqrt(sums[0] / f32(params.size) + rules[0]);
  for (var i = thread; i < params.size; i += 64u) {
    let x = f32(input[input_at + i * params.inputColumn]);
    let w = f32(weight[params.weightBase + i * params.weightColumn]);
    output[output_at + i] = f32(x / root * w);
  }
}
