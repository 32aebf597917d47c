import {
  type AttentionProblem,
  attention,
  type BoundAttention,
  type BoundInputs,
  type Implementation,
  implement,
  isHeedError,
  OutOfMemoryError,
} from "@heed/core";
import { forward } from "./forward.js";
import { describePlan, type JsPlan, planProblem, workspaceRefusals } from "./plan.js";
import { makeWorkspace, type Workspace } from "./workspace.js";

/** Attention: every problem whose workspace an array can hold. */
export const attentionKernels: Implementation<unknown> = implement(attention, {
  decide: (problem: AttentionProblem) => {
    const plan = planProblem(problem);
    const reasons = workspaceRefusals(problem, plan);
    return reasons.length > 0 ? { reasons } : { decision: plan };
  },
  plan: (problem, plan: JsPlan) => {
    // Made at the first run. A run does not yield, so runs that overlap never share it.
    let workspace: Workspace | null = null;
    return {
      description: describePlan(problem, plan),
      run: (bound: BoundAttention) => {
        try {
          workspace ??= makeWorkspace(problem, plan);
          return forward(problem, bound as BoundInputs, plan, workspace);
        } catch (cause) {
          // A RangeError means that the engine has no memory for an array, here the outputs or the workspace.
          if (!(cause instanceof RangeError) && !isHeedError(cause, "out-of-memory")) throw cause;
          const { workspaceBytes } = describePlan(problem, plan);
          const what = `the outputs and ${workspaceBytes} bytes of workspace`;
          throw new OutOfMemoryError("js", `no memory for ${what}`, { cause });
        }
      },
    };
  },
});
