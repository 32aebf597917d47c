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
import { programsBinding } from "../programs/kernel-programs.js";
import type { BufferName, Stored, StoredInputs, Task } from "./task.js";

/** The storage buffers of the kernels of attention, without `rules`. */
export type BindingName =
  | "query"
  | "key"
  | "value"
  | "keyScales"
  | "valueScales"
  | "mask"
  | "bias"
  | "output"
  | "statistics"
  | "weights"
  | "scores"
  | "beside"
  | "partials"
  | "partialStatistics";

/** The elements that a kernel's binding reads or writes for a region, and the buffer they are in. */
export interface StoredAccess extends Access, Stored {}

/** By binding; a binding that is missing is not used. */
export type Accesses = Partial<Readonly<Record<BindingName, StoredAccess>>>;

const inputNames: ReadonlySet<BindingName> = new Set([
  "query",
  "key",
  "value",
  "keyScales",
  "valueScales",
  "mask",
  "bias",
]);
const besideNames = ["keyScales", "valueScales", "mask", "bias"] as const;
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
  const place = (name: string, access: StoredAccess | undefined, base = 0): void => {
    if (access === undefined) return;
    places[`${name}Base` as ParamName] = base;
    for (const [axis, stride] of access.operand.strides.entries()) {
      places[`${name}${axisNames[axis]}` as ParamName] = stride;
    }
  };
  for (const { name } of kernel.bindings) {
    if (name === rulesBinding) continue;
    if (name === programsBinding) {
      windows.push({ buffer: name, start: 0, size: null });
      continue;
    }
    const access = accesses[name as BindingName];
    const window = access ? windowOf(access, region, limits) : null;
    if (!access || !window) {
      windows.push({ buffer: null, start: 0, size: 0 });
      continue;
    }
    windows.push({ buffer: access.buffer, start: window.start, size: window.size });
    if (name === "beside") {
      for (const part of besideNames) {
        const own = accesses[part];
        if (own?.buffer === "beside") place(part, own, own.operand.offset);
      }
      continue;
    }
    const operand = name === "weights" || name === "scores" ? "matrix" : name;
    places[`${operand}Base` as ParamName] = window.base;
    if (inputNames.has(name as BindingName)) place(name, access, window.base);
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
  { query, key, value, keyScales, valueScales, mask, bias, besideWords }: StoredInputs,
): Pick<Required<Accesses>, "query" | "key" | "value"> &
  Pick<Accesses, "keyScales" | "valueScales" | "mask" | "bias" | "beside"> {
  const { headDim, valueDim, queryLength, pages } = problem;
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
  // Nothing is known about which pages are used.
  const stored = (r: Region, size: number): Range[] =>
    pages
      ? [columns(pages.count), kvHeads(r), columns(pages.size), columns(size)]
      : [r.batches, kvHeads(r), r.keys, columns(size)];
  const pairs: Footprint = (r) => [r.batches, queryHeads(r, stack), queryRows(r), r.keys];
  return {
    query: {
      ...query,
      footprint: (r) => [r.batches, queryHeads(r, stack), queryRows(r), columns(headDim)],
    },
    key: { ...key, footprint: (r) => stored(r, headDim) },
    value: { ...value, footprint: (r) => stored(r, valueDim) },
    ...(keyScales && { keyScales: { ...keyScales, footprint: (r) => stored(r, 1) } }),
    ...(valueScales && { valueScales: { ...valueScales, footprint: (r) => stored(r, 1) } }),
    ...(mask && { mask: { ...mask, footprint: pairs } }),
    ...(besideWords > 0 && { beside: besideAccess(besideWords) }),
    ...(bias && { bias: { ...bias, footprint: pairs } }),
  };
}

/** All of the buffer that has scales and mask. */
function besideAccess(words: number): StoredAccess {
  const one = { first: 0, end: 1 };
  return {
    buffer: "beside",
    operand: { offset: 0, strides: [0, 0, 0, 1], elementBytes: 4 },
    footprint: () => [one, one, one, { first: 0, end: words }],
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
