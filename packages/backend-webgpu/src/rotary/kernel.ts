import { vectorFields } from "../execution/vectors.js";
import { emitKernel } from "../wgsl/emit.js";
import { type Binding, type Kernel, rulesBinding, type Storage } from "../wgsl/kernel.js";
import { linearFragment, linearThreads } from "../wgsl/linear.js";
import { kernelName } from "../wgsl/name.js";
import { type ParamsLayout, paramsLayout } from "../wgsl/params.js";

const fields = {
  batches: "u32",
  /** Tokens of a batch of the whole input. */
  length: "u32",
  /** Invocations of a head vector: its pairs, and the elements that stay as they are. */
  columns: "u32",
  /** Pairs of a head vector. */
  half: "u32",
  /** Distance of a pair's elements, and of one pair from the next. */
  pairStep: "u32",
  nextPair: "u32",
  /** Row r of the tables is at `(r / inner) · outer + (r mod inner) · row`. */
  tableInner: "u32",
  cosBase: "u32",
  cosOuter: "u32",
  cosRow: "u32",
  cosColumn: "u32",
  sinBase: "u32",
  sinOuter: "u32",
  sinRow: "u32",
  sinColumn: "u32",
} as const;

export type RotaryParam = keyof typeof vectorFields | keyof typeof fields;

export const rotaryParams: ParamsLayout<RotaryParam> = paramsLayout({ ...vectorFields, ...fields });

/**
 * Rotary position embedding: an invocation turns one pair of elements, or copies one element past them.
 * Products are summed in float32, whatever the elements' type.
 *
 * @param storage element type of input and output
 * @param table element type of cosines and sines
 */
export function rotaryKernel(storage: Storage, table: Storage): Kernel {
  const bindings: readonly Binding[] = [
    // Row of the tables for each token of each batch.
    { name: rulesBinding, element: "u32", access: "read" },
    { name: "input", element: storage, access: "read" },
    { name: "cos_table", element: table, access: "read" },
    { name: "sin_table", element: table, access: "read" },
    { name: "output", element: storage, access: "read_write" },
  ];
  const body = `@compute @workgroup_size(${linearThreads})
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
  output[output_at + first] = ${storage}(x * c - y * s);
  output[output_at + second] = ${storage}(y * c + x * s);
}
`;
  return emitKernel({
    name: kernelName({
      operation: "rotary",
      kernel: "pairs",
      dtype: storage,
      variants: [table !== storage && `table-${table}`],
    }),
    features: [(storage === "f16" || table === "f16") && "f16"],
    params: rotaryParams,
    bindings,
    fragments: [linearFragment],
    body,
  });
}
