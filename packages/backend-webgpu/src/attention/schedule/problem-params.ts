import { type AttentionProblem, headsPerGroup } from "@heed/core";
import { length, type Region } from "../../execution/regions.js";
import { gatheredLayout, hasPositions, listOf } from "../gathered.js";
import { flags, gatheredFlags, type Params } from "../params.js";
import { sequenceVectors } from "../wgsl/gathered.js";
import { weightFactor } from "../wgsl/weight-factor.js";
import type { Task } from "./task.js";

/** Parameters that every dispatch of a problem shares. */
export function problemParams({ problem, choice }: Task): Partial<Params> {
  const { batch, queryHeads, queryLength, keyLength, headDim, valueDim, scale, softcap } = problem;
  return {
    stack: choice.stack,
    keyGrain: choice.keyGrain,
    group: headsPerGroup(problem),
    batches: choice.gathered ? sequenceVectors * problem.sequences : batch,
    queryHeads,
    queryLength,
    keyLength,
    headDim,
    valueDim,
    scale,
    softcap: softcap ?? 0,
    weightFactor: weightFactor(keyLength, choice),
  };
}

/** The shared parameters, and those of the part of the problem that a region is. */
export function regionParams(task: Task, region: Region): Partial<Params> {
  return {
    ...problemParams(task),
    heads: length(region.heads),
    firstBatch: region.batches.first,
    endBatch: region.batches.end,
    firstHead: region.heads.first,
    firstRow: region.rows.first,
    endRow: region.rows.end,
    firstKey: region.keys.first,
    endKey: region.keys.end,
  };
}

/**
 * The list of rows that a dispatch's workgroups take, for kernels that take so many at a time.
 *
 * @returns null where rows are numbered
 */
export function listParams(
  { problem, choice }: Task,
  rows: number,
): Pick<Params, "items" | "keyParts" | "pageSize" | "rowTiles"> | null {
  if (!choice.gathered) return null;
  const { at, items } = listOf(gatheredLayout(problem, choice), rows);
  return {
    items: at,
    keyParts: choice.splits,
    pageSize: problem.pages?.size ?? 0,
    rowTiles: items,
  };
}

/** @param statistics whether the kernel writes them */
export function problemFlags(problem: AttentionProblem, statistics: boolean): number {
  const { softcap, bias, alibi, mask, sinks, returns } = problem;
  return (
    (softcap === null ? 0 : flags.softcap) |
    (bias ? flags.bias : 0) |
    (alibi ? flags.alibi : 0) |
    (mask ? flags.mask : 0) |
    (sinks ? flags.sinks : 0) |
    (problem.pages ? gatheredFlags.pages : 0) |
    (hasPositions(problem) ? gatheredFlags.positions : 0) |
    (statistics ? flags.logSumExp : 0) |
    (returns.scores === "capped" ? flags.scoresCapped : 0) |
    (returns.scores === "biased" ? flags.scoresBiased : 0)
  );
}
