import {
  type AttentionOutputs,
  type AttentionProblem,
  attention,
  type BoundAttention,
  type BoundInputs,
  type Implementation,
  implement,
  isHeedError,
  type KernelPlan,
  OutOfMemoryError,
  roundOutputs,
} from "@heed/core";
import { forward } from "./forward.js";
import { describePlan, type JsPlan, planProblem, workspaceRefusals } from "./plan.js";
import { makeWorkspace, type Workspace } from "./workspace.js";

/** Attention: every problem whose workspace an array can hold. */
export const attentionKernels: Implementation<unknown> = implement(attention, {
  decide: (problem: AttentionProblem) => {
    if (!isPlain(problem)) return { decision: null };
    const plan = planProblem(problem);
    const reasons = workspaceRefusals(problem, plan);
    return reasons.length > 0 ? { reasons } : { decision: plan };
  },
  plan: (problem, plan: JsPlan | null) => {
    if (plan === null) return referencePlan(problem);
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

/** Whether keys and values are stored as the query is, row after row, at positions that follow from indices. */
function isPlain(problem: AttentionProblem): boolean {
  const { dtype, kvDtype, pages, ragged, positions } = problem;
  return kvDtype === dtype && pages === null && ragged === null && positions !== "data";
}

/** Problems that the tiled kernels do not know yet: the float64 reference, rounded. */
function referencePlan(problem: AttentionProblem): KernelPlan<BoundAttention, AttentionOutputs> {
  const operands = attention.operands(problem);
  return {
    description: { kernel: "attention-reference", tiles: {}, workspaceBytes: 0, dispatches: 1 },
    run: (bound) => roundOutputs(operands, attention.reference(bound)),
  };
}
