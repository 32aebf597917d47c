import { toFloat16Fragment } from "../convert/kernels.js";
import { emitKernel, type Fragment } from "../wgsl/emit.js";
import { fromFloat16Fragment } from "../wgsl/float16.js";
import { type Binding, type Kernel, rulesBinding } from "../wgsl/kernel.js";
import { kernelName } from "../wgsl/name.js";
import { type ParamsLayout, paramsLayout } from "../wgsl/params.js";

/** Element types of a source and a target, by their names in kernels. */
export type Element = "f32" | "f16" | "i8";

export function elementBytes(element: Element): number {
  return { f32: 4, f16: 2, i8: 1 }[element];
}

const fields = {
  /** Number of workgroups of the whole grid, and the first of this dispatch. */
  workgroups: "u32",
  firstWorkgroup: "u32",
  heads: "u32",
  /** Rows of a batch entry of the source, and of an entry or page of the target. */
  count: "u32",
  rows: "u32",
  headDim: "u32",
  /** Strides in elements; bases may wrap around below 0. */
  sourceBase: "u32",
  sourceBatch: "u32",
  sourceHead: "u32",
  sourceRow: "u32",
  sourceColumn: "u32",
  targetBase: "u32",
  targetEntry: "u32",
  targetHead: "u32",
  targetRow: "u32",
  targetColumn: "u32",
  scalesBase: "u32",
  scalesEntry: "u32",
  scalesHead: "u32",
  scalesRow: "u32",
} as const;

export type ScatterParam = keyof typeof fields;

export const scatterParams: ParamsLayout<ScatterParam> = paramsLayout(fields);

/** Invocations of a workgroup, which writes one row of one head. */
const threads = 64;

/** Reads of an element's bits, in the low bits of a word. */
const loads: Readonly<Record<Element, string>> = {
  f32: "return source[at];",
  f16: "return (source[at >> 1u] >> (16u * (at & 1u))) & 0xffffu;",
  i8: "return (source[at >> 2u] >> (8u * (at & 3u))) & 0xffu;",
};

/**
 * Writes of an element's bits. Elements that share a word belong to several invocations, and at the ends
 * of a row to other rows: each clears and sets its own bits, in any order among them.
 */
const stores: Readonly<Record<Element, string>> = {
  f32: "atomicStore(&cache[at], bits);",
  f16: `let shift = 16u * (at & 1u);
  atomicAnd(&cache[at >> 1u], ~(0xffffu << shift));
  atomicOr(&cache[at >> 1u], bits << shift);`,
  i8: `let shift = 8u * (at & 3u);
  atomicAnd(&cache[at >> 2u], ~(0xffu << shift));
  atomicOr(&cache[at >> 2u], bits << shift);`,
};

/** An element of the source as bits of the target's type. */
function conversion(from: Element, to: Element): string {
  if (from === to || to === "i8") return "load(at)";
  return from === "f16" ? "to_float32(load(at))" : "to_float16(load(at))";
}

/** Largest magnitude of the row, as bits: they order as the numbers do, and NaN and infinity come last. */
const quantise = `  for (var c = thread; c < params.headDim; c += ${threads}u) {
    atomicMax(&largest, value(from_row + c * params.sourceColumn) & 0x7fffffffu);
  }
  workgroupBarrier();
  let most = atomicLoad(&largest);
  let scale = bitcast<f32>(most) / 127.0;
  let readable = most < 0x7f800000u && scale > 0.0;
  for (var c = thread; c < params.headDim; c += ${threads}u) {
    var steps = 0i;
    if (readable) {
      let x = bitcast<f32>(value(from_row + c * params.sourceColumn));
      steps = i32(clamp(round(x / scale), -127.0, 127.0));
    }
    store(to_row + c * params.targetColumn, u32(steps) & 0xffu);
  }
  if (thread == 0u) {
    scales[scale_at] = select(bitcast<u32>(scale), 0x7fc00000u, most >= 0x7f800000u);
  }`;

/**
 * Scatter in place: a workgroup writes one row of one head. All tensors are words, so that the bits of a
 * copy stay what they are, and float16 and int8 need no extension.
 */
export function scatterKernel(from: Element, to: Element): Kernel {
  const quantises = to === "i8" && from !== "i8";
  const bindings: readonly Binding[] = [
    // Row of the whole target for each row of each batch entry of the source; −1 for none.
    { name: rulesBinding, element: "i32", access: "read" },
    { name: "source", element: "u32", access: "read" },
    { name: "cache", element: "atomic<u32>", access: "read_write" },
    ...(to === "i8" ? [{ name: "scales", element: "u32", access: "read_write" } as const] : []),
    ...(from === "i8" ? [{ name: "source_scales", element: "u32", access: "read" } as const] : []),
  ];
  const value = quantises
    ? `fn value(at: u32) -> u32 {
  return ${from === "f16" ? "to_float32(load(at))" : "load(at)"};
}
var<workgroup> largest: atomic<u32>;
`
    : "";
  const copy = `  for (var c = thread; c < params.headDim; c += ${threads}u) {
    let at = from_row + c * params.sourceColumn;
    store(to_row + c * params.targetColumn, ${conversion(from, to)});
  }${
    to === "i8"
      ? `
  if (thread == 0u) {
    scales[scale_at] = source_scales[(b * params.heads + head) * params.count + i];
  }`
      : ""
  }`;
  const body = `fn load(at: u32) -> u32 {
  ${loads[from]}
}
fn store(at: u32, bits: u32) {
  ${stores[to]}
}
${value}
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
${
  to === "i8"
    ? `  let scale_at = params.scalesBase + entry * params.scalesEntry + head * params.scalesHead + row * params.scalesRow;
`
    : ""
}${quantises ? quantise : copy}
}
`;
  const fragments: Fragment[] = [
    ...(from === "f16" && to !== "f16" ? [fromFloat16Fragment] : []),
    ...(from === "f32" && to === "f16" ? [toFloat16Fragment] : []),
  ];
  return emitKernel({
    name: kernelName({
      operation: "scatter",
      kernel: "rows",
      dtype: to,
      variants: [from !== to && `from-${from}`],
    }),
    params: scatterParams,
    bindings,
    fragments,
    body,
  });
}
