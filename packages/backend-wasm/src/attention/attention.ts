import {
  type AttentionOutputs,
  type AttentionProblem,
  attention,
  type BoundAttention,
  type Implementation,
  implement,
} from "@heed/core";
import type { LoadedWasm } from "../load.js";
import { Arena } from "../memory/arena.js";
import type { PlannedPrograms } from "../program/planned.js";
import { float64Refused, tooLarge } from "../refusals.js";
import { Job, type JobTemplate, jobTemplate } from "./job.js";
import {
  describePlan,
  hasPrograms,
  type PlanLimits,
  planProblem,
  type SharingLimits,
  totalBytes,
  type WasmPlan,
  withPrograms,
} from "./plan.js";

/**
 * Attention in float32 and float16. float64 is refused: its vectors have half as many lanes.
 *
 * @param sharing when problems are shared by threads
 */
export function attentionKernels(sharing: SharingLimits): Implementation<LoadedWasm> {
  return implement(attention, {
    decide: (problem: AttentionProblem, wasm: LoadedWasm) => {
      if (problem.dtype === "float64" || problem.bias?.dtype === "float64") {
        return { reasons: [float64Refused] };
      }
      const decision = planProblem(problem, limitsOf(wasm, sharing));
      const bytes = totalBytes(problem, decision, wasm.tiles.variant);
      const hint = "split the batch or the heads over several calls";
      const refusal = tooLarge(wasm.memory, bytes, hint);
      return refusal ? { reasons: [refusal] } : { decision };
    },
    plan: (problem, decision: WasmPlan, wasm: LoadedWasm) => {
      const planned = (plan: WasmPlan, programs: PlannedPrograms | null) => {
        const template = jobTemplate(problem, plan, programs);
        return {
          description: describePlan(problem, plan, wasm.build, wasm.tiles.variant),
          run: (bound: BoundAttention) => run(wasm, template, bound),
        };
      };
      if (!hasPrograms(problem)) return planned(decision, null);
      return import("../program/planned.js").then((module) => {
        const programs = new module.PlannedPrograms(problem, decision);
        return planned(withPrograms(decision, programs), programs);
      });
    },
  });
}

function limitsOf(wasm: LoadedWasm, sharing: SharingLimits): PlanLimits {
  const { threads, batchInvariant, kernels } = wasm;
  const tileElements = kernels.tileElements.value;
  return { ...sharing, threads, batchInvariant, tileElements };
}

/** Computes a call. Parts of keys are the same whether one thread or several compute them. */
function run(wasm: LoadedWasm, template: JobTemplate, bound: BoundAttention): AttentionOutputs {
  const { memory, kernels, pool, tiles } = wasm;
  const { plan } = template;
  const { splits } = plan;
  // Whoever awaits calls alone gives timers no turn, and would wait for threads in vain.
  if (plan.threads > 1) pool?.start();
  const threads = pool?.isReady || pool?.isBroken ? plan.threads : 1;
  if (plan.kernel === "tiled") tiles.before(plan.multiplyAdds);
  const arena = Arena.of(memory);
  try {
    const job = new Job(memory, arena, template, bound, threads, tiles.variant);
    const { descriptor, workspace, workspaceBytes, items } = job;
    if (pool && threads > 1) {
      pool.run({ descriptor, items, threads, workspace, workspaceBytes });
    } else {
      for (let item = 0; item < items; item++) kernels.attend(descriptor, workspace, item);
    }
    if (splits > 1) {
      const units = items / splits;
      for (let unit = 0; unit < units; unit++) kernels.merge(descriptor, workspace, unit);
    }
    return arena.takeOutputs() as unknown as AttentionOutputs;
  } finally {
    arena.release();
  }
}
