import {
  type BoundMerge,
  type MergeProblem,
  merge,
  outputsOf,
  UnsupportedError,
  type Verdict,
} from "@heed/core";
import type { Context } from "../context.js";
import { denseLayouts, type Program } from "../execution/program.js";
import { workspaceBytes } from "../execution/steps.js";
import { backendName } from "../name.js";
import { scheduleMerge } from "./schedule.js";

type DecideContext = Pick<Context, "capabilities">;

/** The dispatches for row-major inputs: everything that is decided about a problem. */
export type MergeDecision = Program["dense"];

const tooLarge = "the weights of a single row's parts are more than the device binds at once";

/** Whether and how a problem is computed. Pure. */
export function decideMerge(
  problem: MergeProblem,
  { capabilities }: DecideContext,
): Verdict<MergeDecision> {
  if (problem.dtype === "float64" || problem.logSumExpDType === "float64") {
    const hint = "cast to float32, or use the js backend";
    return { reasons: [{ code: "dtype", message: "WGSL has no float64", hint }] };
  }
  const layouts = denseLayouts(merge.operands(problem));
  const schedule = scheduleMerge(problem, layouts, capabilities);
  if (schedule === null) return { reasons: [{ code: "size", message: tooLarge }] };
  return { decision: { layouts, schedule } };
}

/** A problem as the device executes it. */
export function mergeProgram(
  problem: MergeProblem,
  dense: MergeDecision,
  { capabilities }: DecideContext,
): Program<BoundMerge> {
  const operands = merge.operands(problem);
  const names = dense.schedule.steps.map(({ kernel }) => kernel.name);
  return {
    description: {
      kernel: names.filter((name) => name.startsWith("merge-")).at(-1) ?? "merge-sum",
      tiles: {},
      workspaceBytes: workspaceBytes(dense.schedule),
      dispatches: dense.schedule.steps.length,
    },
    reads: operands.filter(({ access }) => access === "read").map(({ name }) => name),
    writes: outputsOf(operands),
    dense,
    rulesBytes: 0,
    encode: () => new Uint8Array(0),
    schedule(layouts) {
      const schedule = scheduleMerge(problem, layouts, capabilities);
      if (schedule) return schedule;
      const reasons = [{ code: "size", message: tooLarge }];
      throw new UnsupportedError([{ backend: backendName, reasons }]);
    },
  };
}
