import type { RotaryProblem, TensorLayout } from "@heed/core";
import type { Capabilities } from "../capabilities.js";
import { packResult } from "../convert/schedule.js";
import { type Stored, storageOf, store } from "../convert/stored.js";
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
import { linearThreads } from "../wgsl/linear.js";
import { type RotaryParam, rotaryKernel } from "./kernel.js";

/** Tables that a token's row is looked up in: those of rank 2, in one piece. */
const noInner = 2 ** 31;

/**
 * Everything that a run does on the device, in order: parts of the input that fit into bindings, one
 * after another. Pure.
 *
 * @returns null where a table or a single head vector is larger than a binding
 */
export function scheduleRotary(
  problem: RotaryProblem,
  layouts: Layouts,
  capabilities: Capabilities,
): Schedule | null {
  const { batch, heads, length: rows, headDim, rotaryDim, interleaved } = problem;
  const count = batch * heads * rows * headDim;
  if (count === 0) return { steps: [], workspace: new Map() };
  const half = rotaryDim / 2;
  const input = store(problem.dtype, "input", layouts, [batch, heads, rows, headDim], capabilities);
  const tableShape = (name: string) => (layouts.get(name) as TensorLayout).shape;
  const tables = (["cos", "sin"] as const).map((name) => {
    const shape = tableShape(name);
    return store(
      problem.tableDType,
      name,
      layouts,
      [1, shape.length === 3 ? (shape[0] as number) : 1, shape.at(-2) as number, half],
      capabilities,
    );
  });
  const [cos, sin] = tables as [Stored, Stored];
  const storage = storageOf(problem.dtype, capabilities);
  const kernel = rotaryKernel(storage, storageOf(problem.tableDType, capabilities));
  const converted = problem.dtype === "float16" && storage === "f32";
  const outputBuffer = converted ? "output32" : "output";
  const output: Operand = {
    offset: 0,
    strides: [heads * rows * headDim, rows * headDim, headDim, 1],
    elementBytes: storageBytes(storage),
  };
  const vectors = (operand: Operand): Access => ({
    operand,
    footprint: (r) => [r.batches, r.heads, r.rows, { first: 0, end: headDim }],
  });
  const { maxStorageBufferBindingSize: bytes, minStorageBufferOffsetAlignment: alignment } =
    capabilities.limits;
  const limits = { bytes, alignment };
  const whole: Region = {
    batches: { first: 0, end: batch },
    heads: { first: 0, end: heads },
    rows: { first: 0, end: rows },
    keys: { first: 0, end: 1 },
  };
  const tableWindows = [cos, sin].map(({ operand }, i) => {
    const shape = tableShape(i === 0 ? "cos" : "sin");
    const range = (end: number) => ({ first: 0, end });
    const outer = shape.length === 3 ? (shape[0] as number) : 1;
    const footprint = () =>
      [range(1), range(outer), range(shape.at(-2) as number), range(half)] as const;
    return windowOf({ operand, footprint }, whole, limits);
  }) as [Window, Window];
  if (tableWindows.some((window) => window === null || window.size > bytes)) return null;
  const accesses = [vectors(input.operand), vectors(output)] as const;
  const regions = divide(whole, accesses, limits, { batches: 1, heads: 1, rows: 1 });
  if (regions === null) return null;
  const columns = half + headDim - rotaryDim;
  const steps = regions.flatMap((region) => {
    const from = windowOf(accesses[0], region, limits) as Window;
    const to = windowOf(accesses[1], region, limits) as Window;
    const [inputBatch, inputHead, inputRow, inputColumn] = input.operand.strides;
    const [outputBatch, outputHead, outputRow] = output.strides;
    const params: Partial<Record<RotaryParam, number>> = {
      firstBatch: region.batches.first,
      firstHead: region.heads.first,
      firstRow: region.rows.first,
      batches: length(region.batches),
      heads: length(region.heads),
      rows: length(region.rows),
      length: rows,
      columns,
      half,
      pairStep: interleaved ? 1 : half,
      nextPair: interleaved ? 2 : 1,
      inputBase: from.base,
      inputBatch,
      inputHead,
      inputRow,
      inputColumn,
      outputBase: to.base,
      outputBatch,
      outputHead,
      outputRow,
      tableInner: tableShape("cos").length === 3 ? rows : noInner,
      cosBase: tableWindows[0].base,
      cosOuter: cos.operand.strides[1],
      cosRow: cos.operand.strides[2],
      cosColumn: cos.operand.strides[3],
      sinBase: tableWindows[1].base,
      sinOuter: sin.operand.strides[1],
      sinRow: sin.operand.strides[2],
      sinColumn: sin.operand.strides[3],
    };
    const invocations =
      length(region.batches) * length(region.heads) * length(region.rows) * columns;
    const work = {
      kernel,
      params: params as Readonly<Record<string, number>>,
      windows: [
        { buffer: input.buffer, start: from.start, size: from.size },
        { buffer: cos.buffer, start: tableWindows[0].start, size: tableWindows[0].size },
        { buffer: sin.buffer, start: tableWindows[1].start, size: tableWindows[1].size },
        { buffer: outputBuffer, start: to.start, size: to.size },
      ],
      workgroups: Math.ceil(invocations / linearThreads),
      operations: 6 * linearThreads,
    };
    return dispatch(work, capabilities);
  });
  return joinStages([
    input,
    cos,
    sin,
    { steps, workspace: new Map() },
    ...(converted ? [packResult(capabilities, "output", count)] : []),
  ]);
}
