import { emitKernel } from "../wgsl/emit.js";
import { fromFloat16Fragment } from "../wgsl/float16.js";
import type { Binding, Kernel } from "../wgsl/kernel.js";
import { kernelName } from "../wgsl/name.js";
import { type ParamsLayout, paramsLayout } from "../wgsl/params.js";

const fields = {
  /** Number of workgroups of the whole grid, and the first of this dispatch. */
  workgroups: "u32",
  firstWorkgroup: "u32",
  /** Start of the dispatch's part of the output, and its sizes. */
  firstBatch: "u32",
  firstRow: "u32",
  firstOutput: "u32",
  batches: "u32",
  rows: "u32",
  outputs: "u32",
  inputSize: "u32",
  /** Tiles next to each other along the outputs. */
  tiles: "u32",
  /** Strides in elements; bases may wrap around below 0. */
  inputBase: "u32",
  inputBatch: "u32",
  inputRow: "u32",
  inputColumn: "u32",
  weightBase: "u32",
  weightRow: "u32",
  weightColumn: "u32",
  biasBase: "u32",
  biasStride: "u32",
  outputBase: "u32",
  outputBatch: "u32",
  outputRow: "u32",
} as const;

export type ProjectionParam = keyof typeof fields;

export const projectionParams: ParamsLayout<ProjectionParam> = paramsLayout(fields);

/** Rows, and outputs, of the tile of a workgroup, and terms of its sums that are read at once. */
export const tile = 32;
const depth = 16;
/** Invocations of a workgroup; each has 4 rows × 4 outputs. */
const threads = 64;

/**
 * A linear layer: a workgroup computes a tile of the output, whose rows of input and weight it reads once
 * into workgroup memory. Everything is summed in float32, in the order of the input's elements.
 *
 * @param element element type of input, weight and bias; float16 is read as words
 */
export function projectionKernel(element: "f32" | "f16", hasBias: boolean): Kernel {
  const bindings: readonly Binding[] = [
    { name: "input", element: "u32", access: "read" },
    { name: "weight", element: "u32", access: "read" },
    ...(hasBias ? [{ name: "bias", element: "u32", access: "read" } as const] : []),
    { name: "output", element: "f32", access: "read_write" },
  ];
  const load = (name: string): string =>
    element === "f32"
      ? `fn load_${name}(at: u32) -> f32 {
  return bitcast<f32>(${name}[at]);
}`
      : `fn load_${name}(at: u32) -> f32 {
  return bitcast<f32>(to_float32((${name}[at >> 1u] >> (16u * (at & 1u))) & 0xffffu));
}`;
  const loads = ["input", "weight", ...(hasBias ? ["bias"] : [])].map(load).join("\n");
  const lanes = [0, 1, 2, 3];
  const body = `${loads}
var<workgroup> inputs: array<f32, ${tile * depth}>;
var<workgroup> weights: array<f32, ${tile * depth}>;

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
      output[at + o] = sums[j]${hasBias ? " + load_bias(params.biasBase + o * params.biasStride)" : ""};
    }
  }
}

@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let number = params.firstWorkgroup + workgroup.x + counts.x * (workgroup.y + counts.y * workgroup.z);
  if (number >= params.workgroups) {
    return;
  }
  let top = (number / params.tiles) * ${tile}u;
  let left = (number % params.tiles) * ${tile}u;
  let row = 4u * (thread / 8u);
  let column = 4u * (thread % 8u);
${lanes.map((i) => `  var sums${i} = vec4<f32>();`).join("\n")}
  for (var first = 0u; first < params.inputSize; first += ${depth}u) {
    for (var e = thread; e < ${tile * depth}u; e += ${threads}u) {
      let line = e / ${depth}u;
      let k = first + e % ${depth}u;
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
    for (var k = 0u; k < ${depth}u; k++) {
      let w = vec4<f32>(${lanes.map((j) => `weights[(column + ${j}u) * ${depth}u + k]`).join(", ")});
${lanes.map((i) => `      sums${i} += inputs[(row + ${i}u) * ${depth}u + k] * w;`).join("\n")}
    }
    workgroupBarrier();
  }
${lanes.map((i) => `  store(top + row + ${i}u, left + column, sums${i});`).join("\n")}
}
`;
  return emitKernel({
    name: kernelName({
      operation: "projection",
      kernel: "tile",
      dtype: element,
      tile: [tile, tile],
      variants: [hasBias && "bias"],
    }),
    params: projectionParams,
    bindings,
    fragments: element === "f16" ? [fromFloat16Fragment] : [],
    body,
  });
}
