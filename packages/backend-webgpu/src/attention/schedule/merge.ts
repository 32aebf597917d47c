import { dispatch } from "../../execution/dispatch.js";
import { divide, length } from "../../execution/regions.js";
import type { Schedule, Step } from "../../execution/steps.js";
import { storageBytes } from "../../wgsl/kernel.js";
import { linearThreads } from "../../wgsl/linear.js";
import { mergeKernel } from "../kernels/merge.js";
import { partWords } from "../wgsl/statistics.js";
import { type Accesses, bind, type StoredAccess } from "./bindings.js";
import { computedIn } from "./convert.js";
import { problemFlags, problemParams } from "./problem-params.js";
import { type BufferName, bindingLimits, type Task } from "./task.js";

/**
 * The output and the log-sum-exp from parts of the keys.
 *
 * @returns null where a row is larger than a binding
 */
export function merge(task: Task, parts: number): Schedule | null {
  const { problem, choice, capabilities } = task;
  const { batch, queryHeads, queryLength, valueDim, returns } = problem;
  const kernel = mergeKernel(choice.storage);
  const limits = bindingLimits(capabilities);
  const rows = batch * queryHeads * queryLength;
  const all = { first: 0, end: 1 };
  const byRow = (buffer: BufferName, elementBytes: number, size: number): StoredAccess => ({
    buffer,
    operand: { offset: 0, strides: [0, 0, size, 1], elementBytes },
    footprint: (region) => [all, all, region.rows, { first: 0, end: size }],
  });
  const accesses: Accesses = {
    partials: byRow("partials", 4, parts * valueDim),
    partialStatistics: byRow("partialStatistics", 4, partWords * parts),
    output: byRow(computedIn(task, "output"), storageBytes(choice.storage), valueDim),
    ...(returns.logSumExp && { statistics: byRow("logSumExp", 4, 1) }),
  };
  const whole = { batches: all, heads: all, rows: { first: 0, end: rows }, keys: all };
  const regions = divide(whole, Object.values(accesses), limits, { rows: 1 });
  if (regions === null) return null;
  const steps: Step[] = [];
  for (const region of regions) {
    const { windows, places } = bind(kernel, accesses, region, limits);
    const work = {
      kernel,
      params: {
        ...problemParams(task),
        ...places,
        firstRow: region.rows.first,
        endRow: region.rows.end,
        outputRow: valueDim,
        partialsRow: parts * valueDim,
        statisticsRow: 1,
        count: parts,
        flags: problemFlags(problem, returns.logSumExp),
      },
      windows,
      workgroups: Math.ceil((length(region.rows) * valueDim) / linearThreads),
      operations: parts * linearThreads,
    };
    steps.push(...dispatch(work, capabilities));
  }
  return { steps, workspace: new Map() };
}
