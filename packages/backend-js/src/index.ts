/**
 * Attention in plain TypeScript: what runs where nothing else can.
 *
 * @module
 */
import { type AttentionProvider, type HostPlan, hostProvider } from "@heed/core";
import { forward } from "./forward.js";
import { describePlan, planProblem } from "./plan.js";
import { makeWorkspace, type Workspace } from "./workspace.js";

/** The JavaScript backend: every problem of the semantics, on the calling thread, everywhere. */
export function js(): AttentionProvider {
  return hostProvider("js", () => ({
    info: { runtime: "JavaScript", device: "CPU", features: [], threads: 1 },
    plan: (problem): HostPlan => {
      const plan = planProblem(problem);
      // Made at the first run. A run does not yield, so runs that overlap never share it.
      let workspace: Workspace | null = null;
      return {
        description: describePlan(problem, plan),
        run: (bound) => {
          workspace ??= makeWorkspace(problem, plan);
          return forward(problem, bound, plan, workspace);
        },
      };
    },
  }));
}
