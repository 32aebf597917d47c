import type { ScatterProblem, TensorLayout } from "@heed/core";
import type { Capabilities } from "../capabilities.js";
import { dispatch } from "../execution/dispatch.js";
import { type Strided, type Window, windowOf } from "../execution/regions.js";
import type { BoundWindow, Layouts, Schedule } from "../execution/steps.js";
import { type Element, elementBytes, type ScatterParam, scatterKernel } from "./kernel.js";

export const elementOf: Readonly<Record<string, Element>> = {
  float32: "f32",
  float16: "f16",
  int8: "i8",
};

/**
 * The one dispatch of a run. Pure.
 *
 * @param from element type of the source as it lies on the device; int8 comes with its scales,
 *   `sourceScales`
 * @returns null where a tensor is larger than a binding
 */
export function scheduleScatter(
  problem: ScatterProblem,
  from: Element,
  layouts: Layouts,
  capabilities: Capabilities,
): Schedule | null {
  const { batch, heads, count, headDim, rows } = problem;
  const workgroups = batch * count * heads;
  const to = elementOf[problem.targetDType] as Element;
  if (workgroups === 0 || (headDim === 0 && to !== "i8"))
    return { steps: [], workspace: new Map() };
  const { maxStorageBufferBindingSize: bytes, minStorageBufferOffsetAlignment: alignment } =
    capabilities.limits;
  const bind = (name: string): { operand: Strided; window: Window | null } => {
    const { strides, offset, shape, dtype } = layouts.get(name) as TensorLayout;
    const operand = { offset, strides, elementBytes: elementBytes(elementOf[dtype] as Element) };
    const footprint = () => shape.map((end) => ({ first: 0, end }));
    return { operand, window: windowOf({ operand, footprint }, {}, { bytes, alignment }) };
  };
  const names = [
    "source",
    "target",
    ...(to === "i8" ? ["scales"] : []),
    ...(from === "i8" ? ["sourceScales"] : []),
  ];
  const bound = new Map(names.map((name) => [name, bind(name)]));
  if ([...bound.values()].some(({ window }) => window !== null && window.size > bytes)) return null;
  const place = (name: string): { base: number; strides: readonly number[] } => {
    const { operand, window } = bound.get(name) ?? { operand: { strides: [] }, window: null };
    return { base: window?.base ?? 0, strides: operand.strides };
  };
  const [source, target, scales] = [place("source"), place("target"), place("scales")];
  const params: Partial<Record<ScatterParam, number>> = {
    heads,
    count,
    rows,
    headDim,
    sourceBase: source.base,
    sourceBatch: source.strides[0],
    sourceHead: source.strides[1],
    sourceRow: source.strides[2],
    sourceColumn: source.strides[3],
    targetBase: target.base,
    targetEntry: target.strides[0],
    targetHead: target.strides[1],
    targetRow: target.strides[2],
    targetColumn: target.strides[3],
    scalesBase: scales.base,
    scalesEntry: scales.strides[0] ?? 0,
    scalesHead: scales.strides[1] ?? 0,
    scalesRow: scales.strides[2] ?? 0,
  };
  const work = {
    kernel: scatterKernel(from, to),
    params: params as Readonly<Record<string, number>>,
    windows: names.map((name): BoundWindow => {
      const window = bound.get(name)?.window ?? null;
      return window === null
        ? { buffer: null, start: 0, size: 0 }
        : { buffer: name, start: window.start, size: window.size };
    }),
    workgroups,
    operations: 8 * Math.max(64, headDim),
  };
  return { steps: dispatch(work, capabilities), workspace: new Map() };
}
