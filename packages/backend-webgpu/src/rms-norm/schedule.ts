import type { RmsNormProblem } from "@heed/core";
import type { Capabilities } from "../capabilities.js";
import { packResult } from "../convert/schedule.js";
import { storageOf, store } from "../convert/stored.js";
import { dispatch } from "../execution/dispatch.js";
import {
  type Access,
  divide,
  length,
  type Operand,
  type Region,
  type Window,
  windowOf,
} from "../execution/regions.js";
import { joinStages, type Layouts, type Schedule } from "../execution/steps.js";
import { storageBytes } from "../wgsl/kernel.js";
import { type RmsNormParam, rmsNormKernel } from "./kernel.js";

/**
 * Everything that a run does on the device, in order: parts of the input that fit into bindings, one after another.
 * Pure.
 *
 * @returns null where the weight or a single vector is larger than a binding
 */
export function scheduleRmsNorm(
  { shape, rows: vectors, size, dtype }: RmsNormProblem,
  layouts: Layouts,
  capabilities: Capabilities,
): Schedule | null {
  const count = vectors * size;
  if (count === 0) return { steps: [], workspace: new Map() };
  // Axes that are missing have one place.
  const axes = [1, 1, 1, ...shape].slice(-4) as [number, number, number, number];
  const [batch, heads, rows] = axes;
  const input = store(dtype, "input", layouts, axes, capabilities);
  const weight = store(dtype, "weight", layouts, [1, 1, 1, size], capabilities);
  const storage = storageOf(dtype, capabilities);
  const kernel = rmsNormKernel(storage);
  const converted = dtype === "float16" && storage === "f32";
  const output: Operand = {
    offset: 0,
    strides: [heads * rows * size, rows * size, size, 1],
    elementBytes: storageBytes(storage),
  };
  const columns = { first: 0, end: size };
  const access = (operand: Operand): Access => ({
    operand,
    footprint: (r) => [r.batches, r.heads, r.rows, columns],
  });
  const { maxStorageBufferBindingSize: bytes, minStorageBufferOffsetAlignment: alignment } =
    capabilities.limits;
  const limits = { bytes, alignment };
  const one = { first: 0, end: 1 };
  const whole: Region = {
    batches: { first: 0, end: batch },
    heads: { first: 0, end: heads },
    rows: { first: 0, end: rows },
    keys: one,
  };
  const factors = windowOf(
    { operand: weight.operand, footprint: () => [one, one, one, columns] },
    whole,
    limits,
  ) as Window;
  if (factors.size > bytes) return null;
  const accesses = [access(input.operand), access(output)] as const;
  const regions = divide(whole, accesses, limits, { batches: 1, heads: 1, rows: 1 });
  if (regions === null) return null;
  const [inputBatch, inputHead, inputRow, inputColumn] = input.operand.strides;
  const [outputBatch, outputHead, outputRow] = output.strides;
  const steps = regions.flatMap((region) => {
    const from = windowOf(accesses[0], region, limits) as Window;
    const to = windowOf(accesses[1], region, limits) as Window;
    const params: Partial<Record<RmsNormParam, number>> = {
      firstBatch: region.batches.first,
      firstHead: region.heads.first,
      firstRow: region.rows.first,
      heads: length(region.heads),
      rows: length(region.rows),
      size,
      inputBase: from.base,
      inputBatch,
      inputHead,
      inputRow,
      inputColumn,
      outputBase: to.base,
      outputBatch,
      outputHead,
      outputRow,
      weightBase: factors.base,
      weightColumn: weight.operand.strides[3],
    };
    const work = {
      kernel,
      params: params as Readonly<Record<string, number>>,
      windows: [
        { buffer: input.buffer, start: from.start, size: from.size },
        { buffer: weight.buffer, start: factors.start, size: factors.size },
        { buffer: converted ? "output32" : "output", start: to.start, size: to.size },
      ],
      workgroups: length(region.batches) * length(region.heads) * length(region.rows),
      operations: 6 * size,
    };
    return dispatch(work, capabilities);
  });
  return joinStages([
    input,
    weight,
    { steps, workspace: new Map() },
    ...(converted ? [packResult(capabilities, "output", count)] : []),
  ]);
}
