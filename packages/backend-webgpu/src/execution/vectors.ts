import type { FloatDType } from "@heed/core";
import type { Capabilities } from "../capabilities.js";
import { packResult } from "../convert/schedule.js";
import { storageOf, store } from "../convert/stored.js";
import { type Kernel, storageBytes } from "../wgsl/kernel.js";
import { dispatch } from "./dispatch.js";
import {
  type Access,
  divide,
  length,
  type Operand,
  type Region,
  type Window,
  windowOf,
} from "./regions.js";
import { joinStages, type Layouts, type Schedule } from "./steps.js";

type Shape = readonly [number, number, number, number];

/** Parameters that every kernel has which makes a vector of the output from the same vector of the input. */
export const vectorFields = {
  /** Number of workgroups of the whole grid, and the first of this dispatch. */
  workgroups: "u32",
  firstWorkgroup: "u32",
  /** Start of the dispatch's part of the input, and its sizes. */
  firstBatch: "u32",
  firstHead: "u32",
  firstRow: "u32",
  heads: "u32",
  rows: "u32",
  /** Strides in elements of batch, head, row and column; the base may wrap around below 0. */
  inputBase: "u32",
  inputBatch: "u32",
  inputHead: "u32",
  inputRow: "u32",
  inputColumn: "u32",
  outputBase: "u32",
  outputBatch: "u32",
  outputHead: "u32",
  outputRow: "u32",
} as const;

/** An operand of a kernel that any vector may read any part of. */
export interface Table {
  readonly name: string;
  readonly dtype: FloatDType;
  readonly shape: Shape;
}

/** A table as a kernel addresses it. */
export interface BoundTable {
  readonly base: number;
  readonly strides: Operand["strides"];
}

/** A kernel that makes each vector of `output` from the same vector of `input` and from tables. */
export interface VectorWork<Param extends string> {
  /** The kernel's bindings are input, tables and output. */
  readonly kernel: Kernel;
  /** Batch, heads, rows and columns of input and output. */
  readonly shape: Shape;
  readonly dtype: FloatDType;
  readonly tables: readonly Table[];
  /** Parameters beside {@link vectorFields}, for a part of the input. */
  readonly params: (
    region: Region,
    tables: readonly BoundTable[],
  ) => Readonly<Record<Exclude<Param, keyof typeof vectorFields>, number>>;
  readonly workgroups: (region: Region) => number;
  /** Rough number of operations of a workgroup. */
  readonly operations: number;
}

/**
 * Everything that a run does on the device, in order: parts of the input that fit into bindings, one after another.
 * Pure.
 *
 * @returns null where a table or a single vector is larger than a binding
 */
export function scheduleVectors<Param extends string>(
  { kernel, shape, dtype, tables, params, workgroups, operations }: VectorWork<Param>,
  layouts: Layouts,
  capabilities: Capabilities,
): Schedule | null {
  const [batch, heads, rows, size] = shape;
  const count = batch * heads * rows * size;
  if (count === 0) return { steps: [], workspace: new Map() };
  const { maxStorageBufferBindingSize: bytes, minStorageBufferOffsetAlignment: alignment } =
    capabilities.limits;
  const limits = { bytes, alignment };
  const upTo = (end: number) => ({ first: 0, end });
  const whole: Region = {
    batches: upTo(batch),
    heads: upTo(heads),
    rows: upTo(rows),
    keys: upTo(1),
  };
  const stored = tables.map((t) => store(t.dtype, t.name, layouts, t.shape, capabilities));
  const windows = stored.map(({ operand }, i) =>
    windowOf({ operand, footprint: () => (tables[i] as Table).shape.map(upTo) }, whole, limits),
  );
  if (windows.some((window) => window === null || window.size > bytes)) return null;
  const bound = stored.map(({ operand }, i) => ({
    base: (windows[i] as Window).base,
    strides: operand.strides,
  }));
  const input = store(dtype, "input", layouts, shape, capabilities);
  const storage = storageOf(dtype, capabilities);
  const converted = dtype === "float16" && storage === "f32";
  const output: Operand = {
    offset: 0,
    strides: [heads * rows * size, rows * size, size, 1],
    elementBytes: storageBytes(storage),
  };
  const access = (operand: Operand): Access => ({
    operand,
    footprint: (r) => [r.batches, r.heads, r.rows, upTo(size)],
  });
  const accesses = [access(input.operand), access(output)] as const;
  const regions = divide(whole, accesses, limits, { batches: 1, heads: 1, rows: 1 });
  if (regions === null) return null;
  const [inputBatch, inputHead, inputRow, inputColumn] = input.operand.strides;
  const [outputBatch, outputHead, outputRow] = output.strides;
  const steps = regions.flatMap((region) => {
    const [from, to] = accesses.map((a) => windowOf(a, region, limits)) as [Window, Window];
    const work = {
      kernel,
      params: {
        firstBatch: region.batches.first,
        firstHead: region.heads.first,
        firstRow: region.rows.first,
        heads: length(region.heads),
        rows: length(region.rows),
        inputBase: from.base,
        inputBatch,
        inputHead,
        inputRow,
        inputColumn,
        outputBase: to.base,
        outputBatch,
        outputHead,
        outputRow,
        ...params(region, bound),
      },
      windows: [
        { buffer: input.buffer, start: from.start, size: from.size },
        ...stored.map(({ buffer }, i) => {
          const { start, size } = windows[i] as Window;
          return { buffer, start, size };
        }),
        { buffer: converted ? "output32" : "output", start: to.start, size: to.size },
      ],
      workgroups: workgroups(region),
      operations,
    };
    return dispatch(work, capabilities);
  });
  return joinStages([
    input,
    ...stored,
    { steps, workspace: new Map() },
    ...(converted ? [packResult(capabilities, "output", count)] : []),
  ]);
}
