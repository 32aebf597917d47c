import { dispatch } from "../../execution/dispatch.js";
import { divide, length, type Range, type Region } from "../../execution/regions.js";
import type { Schedule, Step } from "../../execution/steps.js";
import { type Kernel, type Storage, storageBytes } from "../../wgsl/kernel.js";
import { linearThreads } from "../../wgsl/linear.js";
import { decodeKernel, decodeRows } from "../kernels/decode.js";
import { registersKernel, registersThreads } from "../kernels/registers.js";
import { rowKernel } from "../kernels/row.js";
import { needsRuns } from "../kernels/runs.js";
import { subgroupMatrixKernel } from "../kernels/subgroup-matrix.js";
import { tileKernel } from "../kernels/tile.js";
import { flags, type Params } from "../params.js";
import { programParams } from "../programs/layout.js";
import { tileRows } from "../wgsl/products.js";
import { partWords } from "../wgsl/statistics.js";
import { type Accesses, bind, inputAccesses, rowMajorAccess } from "./bindings.js";
import { computedIn } from "./convert.js";
import { listParams, problemFlags, regionParams } from "./problem-params.js";
import { inFours, readsOf } from "./reads.js";
import { type BufferName, bindingLimits, type StoredInputs, type Task } from "./task.js";

export interface Forward extends Schedule {
  /**
   * Parts of the keys that each row was computed in: its outputs are in `partials` and its statistics
   * in `partialStatistics`, part by part. Null: the output and the log-sum-exp are done.
   */
  readonly parts: number | null;
}

/** The buffers that outputs and statistics are written to: the results, or parts to be merged. */
interface Target {
  /** Parts of a row, and the first that is written; null: whole rows are. */
  readonly parts: { readonly count: number; readonly first: number } | null;
  readonly accesses: Accesses;
}

/**
 * The output and the log-sum-exp, or parts of them where keys are split.
 *
 * @returns null where even the smallest part is larger than a binding
 */
export function forward(task: Task, inputs: StoredInputs): Forward | null {
  const { problem, choice, capabilities } = task;
  const { batch, queryHeads, queryLength, keyLength, valueDim, returns } = problem;
  const { stack, splits } = choice;
  const whole: Region = {
    batches: { first: 0, end: batch },
    heads: { first: 0, end: queryHeads / stack },
    rows: { first: 0, end: stack * queryLength },
    keys: { first: 0, end: keyLength },
  };
  const segments = keySegments(task, inputs, whole);
  if (segments === null) return null;
  // Weights are made of a row's maximum and sum, which only parts leave.
  const count = splits * segments.length;
  const parts = count > 1 || returns.weights ? count : null;
  const output = parts === null ? choice.storage : "f32";
  const passes = passesOf(task).map((pass) => ({
    pass,
    kernel: forwardKernel(pass, inputs, output),
  }));
  const steps: Step[] = [];
  for (const [segment, keys] of segments.entries()) {
    const target = targetOf(task, inputs, parts, segment * splits);
    const regions = divide(
      { ...whole, keys },
      Object.values(target.accesses),
      bindingLimits(capabilities),
      // Lists have the rows of all sequences.
      choice.gathered ? { heads: 1 } : { batches: 1, heads: 1, rows: tileRows },
    );
    if (regions === null) return null;
    for (const region of regions) {
      for (const { pass, kernel } of passes) {
        steps.push(...forwardRegion(pass, kernel, region, target));
      }
    }
  }
  const rows = batch * queryHeads * queryLength;
  const workspace = new Map<BufferName, number>();
  if (parts !== null) {
    workspace.set("partials", 4 * rows * parts * valueDim);
    workspace.set("partialStatistics", 4 * partWords * rows * parts);
  }
  return { parts, steps, workspace };
}

/** The task, and in a ragged batch that of its short sequences, if those have a kernel of their own. */
function passesOf(task: Task): Task[] {
  const { short } = task.choice;
  if (short === null) return [task];
  const { columns } = short;
  const kernel = "decode" as const;
  return [
    { ...task, choice: { ...task.choice, kernel, decode: short, rows: decodeRows, columns } },
    task,
  ];
}

/** Ranges of keys small enough that a tile of rows of one head can work on each. */
function keySegments(task: Task, inputs: StoredInputs, whole: Region): Range[] | null {
  if (task.choice.gathered) return [whole.keys];
  const smallest: Region = {
    ...whole,
    batches: { first: 0, end: 1 },
    heads: { first: 0, end: 1 },
    rows: { first: 0, end: Math.min(whole.rows.end, tileRows) },
  };
  const accesses = Object.values(inputAccesses(task, inputs));
  const regions = divide(smallest, accesses, bindingLimits(task.capabilities), { keys: tileRows });
  return regions?.map(({ keys }) => keys) ?? null;
}

function forwardKernel(task: Task, inputs: StoredInputs, output: Storage): Kernel {
  const { problem, choice } = task;
  const { storage, bias } = choice;
  const reads = readsOf(task, inputs, true);
  switch (choice.kernel) {
    case "tile": {
      // One sequence of a ragged batch may have all keys, and invariant rows cannot depend on how many there are.
      const runs = choice.invariant || needsRuns(problem.keyLength, choice.splits);
      return tileKernel({ ...choice.tile, runs, storage, bias, output, reads });
    }
    case "row":
      return rowKernel({ storage, bias, output, reads: { ...reads, words: false } });
    case "decode": {
      const { headDim, valueDim } = problem;
      const vectors =
        inFours(inputs.key.operand, headDim) && inFours(inputs.value.operand, valueDim);
      return decodeKernel({ ...choice.decode, vectors, storage, bias, output, reads });
    }
    case "subgroup-matrix":
      return subgroupMatrixKernel({ ...choice.matrix, bias, output, reads });
    case "quad":
    case "stream":
      return registersKernel({ ...choice.registers, output, reads });
  }
}

/** @param first of the parts, those of a segment of the keys */
function targetOf(task: Task, inputs: StoredInputs, parts: number | null, first: number): Target {
  const { problem, choice } = task;
  const { valueDim, returns } = problem;
  const { splits } = choice;
  const read = inputAccesses(task, inputs);
  if (parts === null) {
    const output = rowMajorAccess(task, {
      buffer: computedIn(task, "output"),
      elementBytes: storageBytes(choice.storage),
      size: valueDim,
      used: { first: 0, end: valueDim },
    });
    const statistics = rowMajorAccess(task, {
      buffer: "logSumExp",
      elementBytes: 4,
      size: 1,
      used: { first: 0, end: 1 },
    });
    return {
      parts: null,
      accesses: { ...read, output, ...(returns.logSumExp && { statistics }) },
    };
  }
  const ofParts = (buffer: BufferName, size: number) =>
    rowMajorAccess(task, {
      buffer,
      elementBytes: 4,
      size: size * parts,
      used: { first: size * first, end: size * (first + splits) },
    });
  return {
    parts: { count: parts, first },
    accesses: {
      ...read,
      output: ofParts("partials", valueDim),
      statistics: ofParts("partialStatistics", partWords),
    },
  };
}

function forwardRegion(
  task: Task,
  kernel: Kernel,
  region: Region,
  { parts, accesses }: Target,
): Step[] {
  const { problem, choice, capabilities } = task;
  const { headDim, valueDim, returns } = problem;
  const { splits, rows, columns } = choice;
  const keys = length(region.keys);
  const splitKeys = Math.max(tileRows, Math.ceil(keys / splits / tileRows) * tileRows);
  const { windows, places } = bind(kernel, accesses, region, bindingLimits(capabilities));
  const list = listParams(task, rows);
  const tiles = list?.rowTiles ?? Math.ceil(length(region.rows) / rows);
  const slices = Math.ceil(valueDim / columns);
  // Invocations of a stream's workgroup have a split each.
  const gridSplits = choice.kernel === "stream" ? splits / registersThreads : splits;
  const { count, first } = parts ?? { count: 1, first: 0 };
  const words = parts ? partWords : 1;
  const params: Partial<Params> = {
    ...regionParams(task, region),
    ...places,
    ...list,
    ...programParams(problem, choice, task.programs, rows),
    rowTiles: tiles,
    slices,
    splits: gridSplits,
    splitKeys,
    flags: parts
      ? (problemFlags(problem, true) & ~flags.sinks) | flags.partial
      : problemFlags(problem, returns.logSumExp),
    // A segment's first part of a row.
    outputBase: (places.outputBase ?? 0) + first * valueDim,
    statisticsBase: (places.statisticsBase ?? 0) + words * first,
    outputRow: count * valueDim,
    outputSplit: valueDim,
    statisticsRow: words * count,
    statisticsSplit: words,
  };
  // An invocation of the row kernel has one of an item's heads.
  const heads = length(region.heads) * (list && choice.kernel === "row" ? choice.stack : 1);
  const blocks = (list ? 1 : length(region.batches)) * heads * gridSplits * slices * tiles;
  // A block is a workgroup's, or an invocation's.
  const each = choice.kernel === "row" ? linearThreads : 1;
  const work = {
    kernel,
    params,
    windows,
    workgroups: Math.ceil(blocks / each),
    operations: 2 * each * rows * Math.min(keys, splitKeys) * (headDim + columns),
  };
  return dispatch(work, capabilities);
}
