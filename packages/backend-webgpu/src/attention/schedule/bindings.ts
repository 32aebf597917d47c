import { keyHeadOf } from "@heed/core";
import {
  type Access,
  type BindingLimits,
  type Footprint,
  type Range,
  type Region,
  windowOf,
} from "../../execution/regions.js";
import type { BoundWindow } from "../../execution/steps.js";
import { type Kernel, rulesBinding } from "../../wgsl/kernel.js";
import type { ParamName, Params } from "../params.js";
import type { BufferName, Stored, StoredInputs, Task } from "./task.js";

/** The storage buffers of the kernels of attention, without `rules`. */
export type BindingName =
  | "query"
  | "key"
  | "value"
  | "mask"
  | "bias"
  | "output"
  | "statistics"
  | "weights"
  | "scores"
  | "partials"
  | "partialStatistics";

/** The elements that a kernel's binding reads or writes for a region, and the buffer they are in. */
export interface StoredAccess extends Access, Stored {}

/** By binding; a binding that is missing is not used. */
export type Accesses = Partial<Readonly<Record<BindingName, StoredAccess>>>;

const inputNames: ReadonlySet<BindingName> = new Set(["query", "key", "value", "mask", "bias"]);
const axisNames = ["Batch", "Head", "Row", "Column"] as const;

/** The windows of a kernel's bindings for a region, and the params that say where operands start in them. */
export function bind(
  kernel: Kernel,
  accesses: Accesses,
  region: Region,
  limits: BindingLimits,
): { windows: BoundWindow[]; places: Partial<Params> } {
  const windows: BoundWindow[] = [];
  const places: Partial<Record<ParamName, number>> = {};
  for (const { name } of kernel.bindings) {
    if (name === rulesBinding) continue;
    const access = accesses[name as BindingName];
    const window = access ? windowOf(access, region, limits) : null;
    if (!access || !window) {
      windows.push({ buffer: null, start: 0, size: 0 });
      continue;
    }
    windows.push({ buffer: access.buffer, start: window.start, size: window.size });
    const operand = name === "weights" || name === "scores" ? "matrix" : name;
    places[`${operand}Base` as ParamName] = window.base;
    if (!inputNames.has(name as BindingName)) continue;
    for (const [axis, stride] of access.operand.strides.entries()) {
      places[`${name}${axisNames[axis]}` as ParamName] = stride;
    }
  }
  return { windows, places };
}

/** The query heads of a region's heads, which stand for `stack` query heads each. */
const queryHeads = ({ heads }: Region, stack: number): Range => ({
  first: heads.first * stack,
  end: heads.end * stack,
});

export function inputAccesses(
  { problem, choice }: Task,
  { query, key, value, mask, bias }: StoredInputs,
): Pick<Required<Accesses>, "query" | "key" | "value"> & Pick<Accesses, "mask" | "bias"> {
  const { headDim, valueDim, queryLength } = problem;
  const { stack } = choice;
  // Rows of a stack are those of several heads.
  const queryRows = ({ rows }: Region): Range =>
    stack === 1 ? rows : { first: 0, end: queryLength };
  const kvHeads = (region: Region): Range => {
    const { first, end } = queryHeads(region, stack);
    if (end <= first) return { first: 0, end: 0 };
    return { first: keyHeadOf(problem, first), end: keyHeadOf(problem, end - 1) + 1 };
  };
  const columns = (end: number): Range => ({ first: 0, end });
  const pairs: Footprint = (r) => [r.batches, queryHeads(r, stack), queryRows(r), r.keys];
  return {
    query: {
      ...query,
      footprint: (r) => [r.batches, queryHeads(r, stack), queryRows(r), columns(headDim)],
    },
    key: { ...key, footprint: (r) => [r.batches, kvHeads(r), r.keys, columns(headDim)] },
    value: { ...value, footprint: (r) => [r.batches, kvHeads(r), r.keys, columns(valueDim)] },
    ...(mask && { mask: { ...mask, footprint: pairs } }),
    ...(bias && { bias: { ...bias, footprint: pairs } }),
  };
}

/** A tensor with elements for each row of `[batch, queryHeads, queryLength]`, without gaps. */
export interface RowMajor {
  readonly buffer: BufferName;
  readonly elementBytes: number;
  /** Elements of a row. */
  readonly size: number;
  /** Range of a row's elements that is used; null: the region's keys. */
  readonly used: Range | null;
}

export function rowMajorAccess(
  { problem, choice }: Task,
  { buffer, elementBytes, size, used }: RowMajor,
): StoredAccess {
  const { queryHeads: heads, queryLength } = problem;
  const { stack } = choice;
  return {
    buffer,
    operand: {
      offset: 0,
      strides: [heads * queryLength * size, queryLength * size, size, 1],
      elementBytes,
    },
    footprint: (r) => [
      r.batches,
      queryHeads(r, stack),
      stack === 1 ? r.rows : { first: 0, end: queryLength },
      used ?? r.keys,
    ],
  };
}
