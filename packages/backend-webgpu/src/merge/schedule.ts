import { bytesPerElement, type FloatDType, type MergeProblem, type TensorLayout } from "@heed/core";
import type { Capabilities } from "../capabilities.js";
import { packResult, unpackOperand } from "../convert/schedule.js";
import { dispatch } from "../execution/dispatch.js";
import { type Access, divide, length, type Strided, windowOf } from "../execution/regions.js";
import {
  type BoundWindow,
  joinStages,
  type Layouts,
  type Schedule,
  type Step,
} from "../execution/steps.js";
import { type Kernel, type Storage, storageBytes } from "../wgsl/kernel.js";
import { linearThreads } from "../wgsl/linear.js";
import { denseOperand, joinAxes, type MergeRegion, rowRanges, wholeRegion } from "./axes.js";
import { mergeSumKernel, mergeWeightsKernel, sumParts, weightParts } from "./kernel.js";

/** Part of a buffer that one binding covers for a region, and the parameters that describe it. */
interface MergeAccess extends Access<MergeRegion, Strided> {
  /** Name of the buffer. */
  readonly buffer: string;
  /** Name in the parameters: `<name>Base` is where the operand starts in the window. */
  readonly name: string;
}

/** A tensor in a buffer. */
interface Stored {
  readonly buffer: string;
  readonly operand: Strided;
}

/** Consecutive parts that one dispatch binds. */
interface Group {
  readonly first: number;
  readonly end: number;
  readonly last: boolean;
}

function groupsOf(parts: number, most: number): Group[] {
  return Array.from({ length: Math.ceil(parts / most) }, (_, n) => {
    const end = Math.min(parts, (n + 1) * most);
    return { first: n * most, end, last: end === parts };
  });
}

/**
 * Everything that a run does on the device, in order: the weights of all parts in all rows, then their
 * outputs, a few parts at a time, since a device may bind no more than eight storage buffers. Sums
 * are float32 between these. Pure.
 *
 * @returns null where the weights of a single row are larger than a binding
 */
export function scheduleMerge(
  problem: MergeProblem,
  layouts: Layouts,
  capabilities: Capabilities,
): Schedule | null {
  if (problem.rows === 0) return { steps: [], workspace: new Map() };
  const weights = 4 * problem.rows * problem.parts;
  return joinStages([
    { steps: [], workspace: new Map([["weights", weights]]) },
    weightStage(problem, layouts, capabilities),
    ...(problem.valueDim === 0 ? [] : [sumStage(problem, layouts, capabilities)]),
  ]);
}

function weightStage(
  { parts, shape, logSumExpDType }: MergeProblem,
  layouts: Layouts,
  capabilities: Capabilities,
): Schedule | null {
  const storage = logSumExpDType === "float16" ? "f16" : "f32";
  const steps: Step[] = [];
  for (const group of groupsOf(parts, weightParts)) {
    const stored = groupOf(group, (part) =>
      storedOf(`parts[${part}].logSumExp`, logSumExpDType, layouts),
    );
    const { sizes, operands } = joinAxes(
      shape,
      stored.map(({ operand }) => operand),
    );
    const rows = (region: MergeRegion) => rowRanges(region, sizes.length);
    const all = { first: 0, end: parts };
    const accesses: (MergeAccess | null)[] = [
      ...boundParts(stored, operands, weightParts, rows),
      {
        buffer: "weights",
        name: "weights",
        operand: denseOperand(sizes, parts, 4),
        footprint: (region) => [...rows(region), all],
      },
      group.last
        ? {
            buffer: "logSumExp",
            name: "logSumExp",
            operand: denseOperand(sizes, 1, 4),
            footprint: (region) => [...rows(region), { first: 0, end: 1 }],
          }
        : null,
    ];
    const task = {
      kernel: mergeWeightsKernel(storage, sizes.length),
      sizes,
      columns: 1,
      group,
      accesses,
      params: { count: parts },
      // An exponential is worth about ten operations; the last dispatch takes two for each part.
      operations: linearThreads * (4 * length(group) + (group.last ? 24 * parts : 0)),
    };
    const made = dispatchRegions(task, capabilities);
    if (made === null) return null;
    steps.push(...made);
  }
  return { steps, workspace: new Map() };
}

function sumStage(
  { parts, shape, rows: rowCount, valueDim, dtype }: MergeProblem,
  layouts: Layouts,
  capabilities: Capabilities,
): Schedule | null {
  const storage: Storage = dtype === "float16" && capabilities.float16 ? "f16" : "f32";
  const converted = dtype === "float16" && storage === "f32";
  const output = converted ? "output32" : "output";
  const groups = groupsOf(parts, sumParts(storage));
  const steps: Step[] = [];
  const workspace = new Map<string, number>();
  if (storage === "f16" && groups.length > 1) workspace.set("sums", 4 * rowCount * valueDim);
  for (const group of groups) {
    const stored = groupOf(group, (part): Stored => {
      const own = storedOf(`parts[${part}].output`, dtype, layouts);
      if (!converted) return own;
      // Each group uses the copies of the one before it again.
      const copy = `part${part - group.first}`;
      const whole = [...shape, valueDim];
      const unpacked = unpackOperand(capabilities, own.buffer, own.operand, whole, copy);
      steps.push(...unpacked.steps);
      const bytes = unpacked.workspace.get(copy) as number;
      workspace.set(copy, Math.max(workspace.get(copy) ?? 0, bytes));
      return unpacked;
    });
    const { sizes, operands } = joinAxes(
      shape,
      stored.map(({ operand }) => operand),
    );
    const rows = (region: MergeRegion) => rowRanges(region, sizes.length);
    const elements = (region: MergeRegion) => [...rows(region), region.columns];
    const accesses: (MergeAccess | null)[] = [
      ...boundParts(stored, operands, sumParts(storage), elements),
      {
        buffer: "weights",
        name: "weights",
        operand: denseOperand(sizes, parts, 4),
        footprint: (region) => [...rows(region), group],
      },
    ];
    const result = (buffer: string, name: string, elementBytes: number): MergeAccess => ({
      buffer,
      name,
      operand: denseOperand(sizes, valueDim, elementBytes),
      footprint: elements,
    });
    if (storage === "f16") {
      accesses.push(groups.length > 1 ? result("sums", "sums", 4) : null);
      accesses.push(group.last ? result("output", "output", 2) : null);
    } else {
      accesses.push(result(output, "output", storageBytes(storage)));
    }
    const task = {
      kernel: mergeSumKernel(storage, sizes.length),
      sizes,
      columns: valueDim,
      group,
      accesses,
      params: { count: parts, valueDim },
      operations: linearThreads * 4 * length(group),
    };
    const made = dispatchRegions(task, capabilities);
    if (made === null) return null;
    steps.push(...made);
  }
  const summed = { steps, workspace };
  if (!converted) return summed;
  return joinStages([summed, packResult(capabilities, "output", rowCount * valueDim)]);
}

function groupOf<T>({ first, end }: Group, make: (part: number) => T): T[] {
  return Array.from({ length: end - first }, (_, i) => make(first + i));
}

function storedOf(name: string, dtype: FloatDType, layouts: Layouts): Stored {
  const { offset, strides } = layouts.get(name) as TensorLayout;
  return { buffer: name, operand: { offset, strides, elementBytes: bytesPerElement(dtype) } };
}

/** The bindings of the parts, of which the last ones may be unused. */
function boundParts(
  stored: readonly Stored[],
  operands: readonly Strided[],
  bindings: number,
  footprint: MergeAccess["footprint"],
): (MergeAccess | null)[] {
  return Array.from({ length: bindings }, (_, i) => {
    const [from, operand] = [stored[i], operands[i]];
    if (!from || !operand) return null;
    return { buffer: from.buffer, name: `part${i}`, operand, footprint };
  });
}

interface RegionsTask {
  readonly kernel: Kernel;
  /** The sizes of the rows' axes. */
  readonly sizes: readonly number[];
  /** The number of elements of a row that have an invocation each. */
  readonly columns: number;
  readonly group: Group;
  /** One for each binding, in order; null for a binding that is not used. */
  readonly accesses: readonly (MergeAccess | null)[];
  readonly params: Readonly<Record<string, number>>;
  /** A rough number of the operations of a workgroup. */
  readonly operations: number;
}

/** Dispatches of a kernel on parts of the rows that fit into bindings; null where none do. */
function dispatchRegions(
  { kernel, sizes, columns, group, accesses, params, operations }: RegionsTask,
  capabilities: Capabilities,
): Step[] | null {
  const { maxStorageBufferBindingSize: bytes, minStorageBufferOffsetAlignment: alignment } =
    capabilities.limits;
  const limits = { bytes, alignment };
  const whole = wholeRegion(sizes, columns);
  const grain = Object.fromEntries(Object.keys(whole).map((axis) => [axis, 1]));
  const used = accesses.filter((access) => access !== null);
  const regions = divide(whole, used, limits, grain);
  if (regions === null) return null;
  return regions.flatMap((region) => {
    const places: Record<string, number> = {};
    const windows = accesses.map((access): BoundWindow => {
      const window = access && windowOf(access, region, limits);
      if (!window) return { buffer: null, start: 0, size: 0 };
      places[`${access.name}Base`] = window.base;
      for (const [axis, stride] of access.operand.strides.entries()) {
        places[`${access.name}Axis${axis}`] = stride;
      }
      return { buffer: access.buffer, start: window.start, size: window.size };
    });
    const ranges = rowRanges(region, sizes.length);
    for (const [axis, range] of ranges.entries()) {
      places[`first${axis}`] = range.first;
      places[`size${axis}`] = length(range);
      places[`whole${axis}`] = sizes[axis] as number;
    }
    const rows = ranges.reduce((count, range) => count * length(range), 1);
    const invocations = rows * length(region.columns);
    const work = {
      kernel,
      params: {
        ...params,
        ...places,
        firstPart: group.first,
        bound: length(group),
        last: Number(group.last),
        firstColumn: region.columns.first,
        columns: length(region.columns),
      },
      windows,
      workgroups: Math.ceil(invocations / linearThreads),
      operations,
    };
    return dispatch(work, capabilities);
  });
}
