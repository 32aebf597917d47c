import {
  type BoundProjection,
  outputsOf,
  type ProjectionProblem,
  projection,
  UnsupportedError,
  type Verdict,
} from "@heed/core";
import type { Context } from "../context.js";
import { denseLayouts, type Program } from "../execution/program.js";
import { workspaceBytes } from "../execution/steps.js";
import { backendName } from "../name.js";
import { projectionKernel, tile } from "./kernel.js";
import { scheduleProjection } from "./schedule.js";

type DecideContext = Pick<Context, "capabilities">;

/** The dispatches for row-major inputs: everything that is decided about a problem. */
export type ProjectionDecision = Program["dense"];

const tooLarge = "a single row, with its strides, is more than the device binds at once";

/** Whether and how a problem is computed. Pure. */
export function decideProjection(
  problem: ProjectionProblem,
  { capabilities }: DecideContext,
): Verdict<ProjectionDecision> {
  if (problem.dtype === "float64") {
    const hint = "cast to float32, or use the js backend";
    return { reasons: [{ code: "dtype", message: "WGSL has no float64", hint }] };
  }
  const layouts = denseLayouts(projection.operands(problem));
  const schedule = scheduleProjection(problem, layouts, capabilities);
  if (schedule === null) return { reasons: [{ code: "size", message: tooLarge }] };
  return { decision: { layouts, schedule } };
}

/** A problem as the device executes it. */
export function projectionProgram(
  problem: ProjectionProblem,
  dense: ProjectionDecision,
  { capabilities }: DecideContext,
): Program<BoundProjection> {
  const operands = projection.operands(problem);
  const element = problem.dtype === "float16" ? "f16" : "f32";
  return {
    description: {
      kernel: projectionKernel(element, problem.hasBias).name,
      tiles: { queries: tile, columns: tile },
      workspaceBytes: workspaceBytes(dense.schedule),
      dispatches: dense.schedule.steps.length,
    },
    reads: operands.filter(({ access }) => access === "read").map(({ name }) => name),
    writes: outputsOf(operands),
    dense,
    rulesBytes: 0,
    encode: () => new Uint8Array(),
    schedule(layouts) {
      const schedule = scheduleProjection(problem, layouts, capabilities);
      if (schedule) return schedule;
      const reasons = [{ code: "size", message: tooLarge }];
      throw new UnsupportedError([{ backend: backendName, reasons }]);
    },
  };
}
