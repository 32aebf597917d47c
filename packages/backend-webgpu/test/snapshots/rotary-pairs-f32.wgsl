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
  batches: u32,
  length: u32,
  columns: u32,
  half: u32,
  pairStep: u32,
  nextPair: u32,
  tableInner: u32,
  cosBase: u32,
  cosOuter: u32,
  cosRow: u32,
  cosColumn: u32,
  sinBase: u32,
  sinOuter: u32,
  sinRow: u32,
  sinColumn: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rules: array<u32>;
@group(0) @binding(2) var<storage, read> input: array<f32>;
@group(0) @binding(3) var<storage, read> cos_table: array<f32>;
@group(0) @binding(4) var<storage, read> sin_table: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;
fn element_number(workgroup: vec3<u32>, counts: vec3<u32>, thread: u32) -> u32 {
  let number = params.firstWorkgroup + workgroup.x + counts.x * (workgroup.y + counts.y * workgroup.z);
  return number * 64u + thread;
}
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  var rest = element_number(workgroup, counts, thread);
  let column = rest % params.columns;
  rest /= params.columns;
  let row = params.firstRow + rest % params.rows;
  rest /= params.rows;
  let head = params.firstHead + rest % params.heads;
  let batch = rest / params.heads;
  if (batch >= params.batches) {
    return;
  }
  let b = params.firstBatch + batch;
  let input_at = params.inputBase + b * params.inputBatch + head * params.inputHead + row * params.inputRow;
  let output_at = params.outputBase + b * params.outputBatch + head * params.outputHead + row * params.outputRow;
  if (column >= params.half) {
    let element = column + params.half;
    output[output_at + element] = input[input_at + element * params.inputColumn];
    return;
  }
  let token = rules[b * params.length + row];
  let outer = token / params.tableInner;
  let inner = token % params.tableInner;
  let c = f32(cos_table[params.cosBase + outer * params.cosOuter + inner * params.cosRow + column * params.cosColumn]);
  let s = f32(sin_table[params.sinBase + outer * params.sinOuter + inner * params.sinRow + column * params.sinColumn]);
  let first = column * params.nextPair;
  let second = first + params.pairStep;
  let x = f32(input[input_at + first * params.inputColumn]);
  let y = f32(input[input_at + second * params.inputColumn]);
  output[output_at + first] = f32(x * c - y * s);
  output[output_at + second] = f32(y * c + x * s);
}
