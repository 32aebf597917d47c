import { bytesPerElement, type ProjectionProblem, type TensorLayout } from "@heed/core";
import type { Capabilities } from "../capabilities.js";
import { packResult } from "../convert/schedule.js";
import { dispatch } from "../execution/dispatch.js";
import {
  type Access,
  divide,
  length,
  type Range,
  type Strided,
  windowOf,
} from "../execution/regions.js";
import { type BoundWindow, joinStages, type Layouts, type Schedule } from "../execution/steps.js";
import { type ProjectionParam, projectionKernel, tile } from "./kernel.js";

/** A part of the output that one dispatch computes. */
interface Region {
  readonly batches: Range;
  readonly rows: Range;
  readonly outputs: Range;
}

/**
 * Everything that a run does on the device, in order: parts of the output whose tensors fit into bindings,
 * one after another. Pure.
 *
 * @returns null where a single row is larger than a binding
 */
export function scheduleProjection(
  problem: ProjectionProblem,
  layouts: Layouts,
  capabilities: Capabilities,
): Schedule | null {
  const { batch, length: rows, inputSize, outputSize, dtype, hasBias } = problem;
  const count = batch * rows * outputSize;
  if (count === 0) return { steps: [], workspace: new Map() };
  const operand = (name: string): Strided => {
    const { strides, offset } = layouts.get(name) as TensorLayout;
    return { strides, offset, elementBytes: bytesPerElement(dtype) };
  };
  const half = dtype === "float16";
  const outputBuffer = half ? "output32" : "output";
  const output: Strided = {
    offset: 0,
    strides: [rows * outputSize, outputSize, 1],
    elementBytes: 4,
  };
  const terms = { first: 0, end: inputSize };
  const accesses: readonly (Access<Region, Strided> & { readonly name: string })[] = [
    { name: "input", operand: operand("input"), footprint: (r) => [r.batches, r.rows, terms] },
    { name: "weight", operand: operand("weight"), footprint: (r) => [r.outputs, terms] },
    ...(hasBias
      ? [{ name: "bias", operand: operand("bias"), footprint: (r: Region) => [r.outputs] }]
      : []),
    { name: outputBuffer, operand: output, footprint: (r) => [r.batches, r.rows, r.outputs] },
  ];
  const { maxStorageBufferBindingSize: bytes, minStorageBufferOffsetAlignment: alignment } =
    capabilities.limits;
  const limits = { bytes, alignment };
  const whole: Region = {
    batches: { first: 0, end: batch },
    rows: { first: 0, end: rows },
    outputs: { first: 0, end: outputSize },
  };
  const regions = divide(whole, accesses, limits, { batches: 1, rows: 1, outputs: tile });
  if (regions === null) return null;
  const kernel = projectionKernel(half ? "f16" : "f32", hasBias);
  const steps = regions.flatMap((region) => {
    const windows = new Map(accesses.map((a) => [a.name, windowOf(a, region, limits)]));
    const base = (name: string): number => windows.get(name)?.base ?? 0;
    const stride = (name: string, axis: number): number =>
      accesses.find((a) => a.name === name)?.operand.strides[axis] ?? 0;
    const tiles = Math.ceil(length(region.outputs) / tile);
    const params: Record<Exclude<ProjectionParam, "workgroups" | "firstWorkgroup">, number> = {
      firstBatch: region.batches.first,
      firstRow: region.rows.first,
      firstOutput: region.outputs.first,
      batches: length(region.batches),
      rows: length(region.rows),
      outputs: length(region.outputs),
      inputSize,
      tiles,
      inputBase: base("input"),
      inputBatch: stride("input", 0),
      inputRow: stride("input", 1),
      inputColumn: stride("input", 2),
      weightBase: base("weight"),
      weightRow: stride("weight", 0),
      weightColumn: stride("weight", 1),
      biasBase: base("bias"),
      biasStride: stride("bias", 0),
      outputBase: base(outputBuffer),
      outputBatch: stride(outputBuffer, 0),
      outputRow: stride(outputBuffer, 1),
    };
    const work = {
      kernel,
      params,
      windows: accesses.map(({ name }): BoundWindow => {
        const window = windows.get(name);
        return window
          ? { buffer: name, start: window.start, size: window.size }
          : { buffer: null, start: 0, size: 0 };
      }),
      workgroups: Math.ceil((length(region.batches) * length(region.rows)) / tile) * tiles,
      operations: 2 * tile * tile * Math.max(1, inputSize),
    };
    return dispatch(work, capabilities);
  });
  return joinStages([
    { steps, workspace: new Map() },
    ...(half ? [packResult(capabilities, "output", count)] : []),
  ]);
}
