import { type AttentionProblem, headsPerGroup } from "@heed/core";
import { length, type Region } from "../../execution/regions.js";
import { flags, type Params } from "../params.js";
import type { Task } from "./task.js";

/** Parameters that every dispatch of a problem shares. */
export function problemParams({ problem, choice }: Task): Partial<Params> {
  const { batch, queryHeads, queryLength, keyLength, headDim, valueDim, scale, softcap } = problem;
  return {
    stack: choice.stack,
    keyGrain: choice.keyGrain,
    group: headsPerGroup(problem),
    batches: batch,
    queryHeads,
    queryLength,
    keyLength,
    headDim,
    valueDim,
    scale,
    softcap: softcap ?? 0,
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

/** @param statistics whether the kernel writes them */
export function problemFlags(problem: AttentionProblem, statistics: boolean): number {
  const { softcap, bias, alibi, mask, sinks, returns } = problem;
  return (
    (softcap === null ? 0 : flags.softcap) |
    (bias ? flags.bias : 0) |
    (alibi ? flags.alibi : 0) |
    (mask ? flags.mask : 0) |
    (sinks ? flags.sinks : 0) |
    (statistics ? flags.logSumExp : 0) |
    (returns.scores === "capped" ? flags.scoresCapped : 0) |
    (returns.scores === "biased" ? flags.scoresBiased : 0)
  );
}
