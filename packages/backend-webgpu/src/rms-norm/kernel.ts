import { vectorFields } from "../execution/vectors.js";
import { emitKernel } from "../wgsl/emit.js";
import { type Binding, type Kernel, rulesBinding, type Storage } from "../wgsl/kernel.js";
import { kernelName } from "../wgsl/name.js";
import { type ParamsLayout, paramsLayout } from "../wgsl/params.js";

/** Invocations that share a vector. */
export const rmsNormThreads = 64;

const fields = {
  /** Elements of a vector. */
  size: "u32",
  weightBase: "u32",
  weightColumn: "u32",
} as const;

export type RmsNormParam = keyof typeof vectorFields | keyof typeof fields;

const rmsNormParams: ParamsLayout<RmsNormParam> = paramsLayout({ ...vectorFields, ...fields });

/**
 * Root mean square normalisation: a workgroup sums the squares of one vector in float32, whatever the elements'
 * type, in an order that the vector's size alone determines.
 *
 * @param storage element type of input, weight and output
 */
export function rmsNormKernel(storage: Storage): Kernel {
  const bindings: readonly Binding[] = [
    // The epsilon.
    { name: rulesBinding, element: "f32", access: "read" },
    { name: "input", element: storage, access: "read" },
    { name: "weight", element: storage, access: "read" },
    { name: "output", element: storage, access: "read_write" },
  ];
  const body = `var<workgroup> sums: array<f32, ${rmsNormThreads}>;

@compute @workgroup_size(${rmsNormThreads})
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
  for (var i = thread; i < params.size; i += ${rmsNormThreads}u) {
    let x = f32(input[input_at + i * params.inputColumn]);
    sum += x * x;
  }
  sums[thread] = sum;
  for (var half = ${rmsNormThreads / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      sums[thread] += sums[thread + half];
    }
  }
  workgroupBarrier();
  let root = sqrt(sums[0] / f32(params.size) + rules[0]);
  for (var i = thread; i < params.size; i += ${rmsNormThreads}u) {
    let x = f32(input[input_at + i * params.inputColumn]);
    let w = f32(weight[params.weightBase + i * params.weightColumn]);
    output[output_at + i] = ${storage}(x / root * w);
  }
}
`;
  return emitKernel({
    name: kernelName({ operation: "rms-norm", kernel: "rows", dtype: storage, variants: [] }),
    features: [storage === "f16" && "f16"],
    params: rmsNormParams,
    bindings,
    fragments: [],
    body,
  });
}
