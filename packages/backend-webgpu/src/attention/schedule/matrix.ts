import { dispatch } from "../../execution/dispatch.js";
import { divide, length, type Region } from "../../execution/regions.js";
import type { Schedule, Step } from "../../execution/steps.js";
import { storageBytes } from "../../wgsl/kernel.js";
import { type MatrixName, matrixKernel, matrixKeys } from "../kernels/matrix.js";
import { programParams } from "../programs/layout.js";
import { tileRows } from "../wgsl/products.js";
import { partWords } from "../wgsl/statistics.js";
import { type Accesses, bind, inputAccesses, rowMajorAccess } from "./bindings.js";
import { computedIn } from "./convert.js";
import { listParams, problemFlags, regionParams } from "./problem-params.js";
import { readsOf } from "./reads.js";
import { bindingLimits, type StoredInputs, type Task } from "./task.js";

/**
 * The weights or the scores.
 *
 * @param parts of the keys, whose statistics the weights are made of
 * @returns null where even the smallest part is larger than a binding
 */
export function matrix(
  task: Task,
  inputs: StoredInputs,
  name: MatrixName,
  parts: number,
): Schedule | null {
  const { problem, choice, capabilities } = task;
  const { batch, queryHeads, queryLength, keyLength, headDim } = problem;
  const { stack, storage, bias } = choice;
  const reads = { ...readsOf(task, inputs, false), words: false };
  const kernel = matrixKernel({ matrix: name, storage, bias, output: storage, reads });
  const limits = bindingLimits(capabilities);
  const { value: _, valueScales: __, beside, ...read } = inputAccesses(task, inputs);
  const accesses: Accesses = {
    ...read,
    ...(reads.joined && { beside }),
    [name]: rowMajorAccess(task, {
      buffer: computedIn(task, name),
      elementBytes: storageBytes(storage),
      size: keyLength,
      used: null,
    }),
    ...(name === "weights" && {
      partialStatistics: rowMajorAccess(task, {
        buffer: "partialStatistics",
        elementBytes: 4,
        size: partWords * parts,
        used: { first: 0, end: partWords * parts },
      }),
    }),
  };
  const whole: Region = {
    batches: { first: 0, end: batch },
    heads: { first: 0, end: queryHeads / stack },
    rows: { first: 0, end: stack * queryLength },
    keys: { first: 0, end: keyLength },
  };
  const grain = { heads: 1, keys: tileRows };
  const regions = divide(
    whole,
    Object.values(accesses),
    limits,
    choice.gathered ? grain : { batches: 1, ...grain, rows: tileRows },
  );
  if (regions === null) return null;
  const steps: Step[] = [];
  for (const region of regions) {
    const { windows, places } = bind(kernel, accesses, region, limits);
    const list = listParams(task, tileRows);
    const rowTiles = list?.rowTiles ?? Math.ceil(length(region.rows) / tileRows);
    const slices = Math.ceil(length(region.keys) / matrixKeys);
    const work = {
      kernel,
      params: {
        ...regionParams(task, region),
        ...places,
        ...list,
        ...programParams(problem, choice, task.programs),
        rowTiles,
        slices,
        splits: 1,
        splitKeys: keyLength,
        count: parts,
        flags: problemFlags(problem, false),
      },
      windows,
      workgroups: (list ? 1 : length(region.batches)) * length(region.heads) * slices * rowTiles,
      operations: 2 * tileRows * matrixKeys * headDim,
    };
    steps.push(...dispatch(work, capabilities));
  }
  return { steps, workspace: new Map() };
}
