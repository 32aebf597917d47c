import {
  type Bound,
  type DType,
  type OperandSpec,
  outputsOf,
  type Problem,
  type Verdict,
} from "@heed/core";
import type { Capabilities } from "../capabilities.js";
import type { Context } from "../context.js";
import { denseLayouts, type Program } from "./program.js";
import { noFloat64, scheduleOrThrow, tooLarge } from "./refusals.js";
import { type Layouts, type Schedule, workspaceBytes } from "./steps.js";

type DecideContext = Pick<Context, "capabilities">;

/** The dispatches for row-major inputs: everything that is decided about a problem. */
export type DenseDecision = Program["dense"];

/** An operation whose dispatches follow from the problem, the inputs' layouts and the device alone. */
export interface ScheduledParts<P extends Problem, B extends Bound> {
  operands(problem: P): readonly OperandSpec[];
  /** Dtypes of everything that the problem computes with. */
  dtypes(problem: P): readonly DType[];
  /** The dispatches; null where even the smallest part is larger than a binding. Pure. */
  schedule(problem: P, layouts: Layouts, capabilities: Capabilities): Schedule | null;
  /** Name of the kernel that writes the output, without what depends on the problem. */
  readonly kernel: string;
  /** Says what is larger than a binding. */
  readonly tooLarge: string;
  /** Bytes of a call's small data; 0 for none. */
  rulesBytes(problem: P): number;
  /** A call's small data; see `Program.encode`. */
  encode(bound: B): Uint8Array;
}

/** The functions that a backend calls for such an operation. */
export interface ScheduledOperation<P extends Problem, B extends Bound> {
  /** Whether and how a problem is computed. Pure. */
  decide(problem: P, context: DecideContext): Verdict<DenseDecision>;
  /** A problem as the device executes it. */
  program(problem: P, dense: DenseDecision, context: DecideContext): Program<B>;
}

export function scheduledOperation<P extends Problem, B extends Bound>(
  parts: ScheduledParts<P, B>,
): ScheduledOperation<P, B> {
  return {
    decide(problem, { capabilities }) {
      if (parts.dtypes(problem).includes("float64")) return { reasons: [noFloat64()] };
      const layouts = denseLayouts(parts.operands(problem));
      const schedule = parts.schedule(problem, layouts, capabilities);
      if (schedule === null) return { reasons: [tooLarge(parts.tooLarge)] };
      return { decision: { layouts, schedule } };
    },
    program(problem, dense, { capabilities }) {
      const operands = parts.operands(problem);
      const { schedule } = dense;
      const kernels = schedule.steps.map(({ kernel }) => kernel.name);
      return {
        description: {
          kernel: kernels.find((name) => name.startsWith(parts.kernel)) ?? parts.kernel,
          tiles: {},
          workspaceBytes: workspaceBytes(schedule),
          dispatches: schedule.steps.length,
        },
        reads: operands.filter(({ access }) => access === "read").map(({ name }) => name),
        writes: outputsOf(operands),
        dense,
        rulesBytes: parts.rulesBytes(problem),
        encode: parts.encode,
        schedule: (layouts) =>
          scheduleOrThrow(parts.schedule(problem, layouts, capabilities), parts.tooLarge),
      };
    },
  };
}
