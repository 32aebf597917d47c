import {
  type BoundRotary,
  outputsOf,
  type RotaryProblem,
  rotary,
  UnsupportedError,
  type Verdict,
} from "@heed/core";
import type { Context } from "../context.js";
import { denseLayouts, type Program } from "../execution/program.js";
import { workspaceBytes } from "../execution/steps.js";
import { backendName } from "../name.js";
import { scheduleRotary } from "./schedule.js";

type DecideContext = Pick<Context, "capabilities">;

/** The dispatches for row-major inputs: everything that is decided about a problem. */
export type RotaryDecision = Program["dense"];

const tooLarge = "a table or a single head vector is more than the device binds at once";

/** Whether and how a problem is computed. Pure. */
export function decideRotary(
  problem: RotaryProblem,
  { capabilities }: DecideContext,
): Verdict<RotaryDecision> {
  if (problem.dtype === "float64") {
    const hint = "cast to float32, or use the js backend";
    return { reasons: [{ code: "dtype", message: "WGSL has no float64", hint }] };
  }
  const layouts = denseLayouts(rotary.operands(problem));
  const schedule = scheduleRotary(problem, layouts, capabilities);
  if (schedule === null) return { reasons: [{ code: "size", message: tooLarge }] };
  return { decision: { layouts, schedule } };
}

/** A problem as the device executes it. */
export function rotaryProgram(
  problem: RotaryProblem,
  dense: RotaryDecision,
  { capabilities }: DecideContext,
): Program<BoundRotary> {
  const operands = rotary.operands(problem);
  const named = dense.schedule.steps.find(({ kernel }) => kernel.name.startsWith("rotary-"));
  return {
    description: {
      kernel: named?.kernel.name ?? "rotary-pairs",
      tiles: {},
      workspaceBytes: workspaceBytes(dense.schedule),
      dispatches: dense.schedule.steps.length,
    },
    reads: operands.filter(({ access }) => access === "read").map(({ name }) => name),
    writes: outputsOf(operands),
    dense,
    rulesBytes: 4 * problem.batch * problem.length,
    encode: ({ rows }) => new Uint8Array(Int32Array.from(rows).buffer),
    schedule(layouts) {
      const schedule = scheduleRotary(problem, layouts, capabilities);
      if (schedule) return schedule;
      const reasons = [{ code: "size", message: tooLarge }];
      throw new UnsupportedError([{ backend: backendName, reasons }]);
    },
  };
}
