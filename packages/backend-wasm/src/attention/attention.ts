import {
  type AttentionOutputs,
  type AttentionProblem,
  attention,
  type BoundAttention,
  type Implementation,
  implement,
  type SupportReason,
} from "@heed/core";
import type { LoadedWasm } from "../load.js";
import { Job } from "./job.js";
import {
  describePlan,
  type PlanLimits,
  planProblem,
  type SharingLimits,
  totalBytes,
  type WasmPlan,
} from "./plan.js";

/** Bytes that alignment and the control block take at most. */
const reservedBytes = 65536;

/**
 * Attention in float32 and float16. float64 is refused: its vectors have half as many lanes.
 *
 * @param sharing when problems are shared by threads
 */
export function attentionKernels(sharing: SharingLimits): Implementation<LoadedWasm> {
  return implement(attention, {
    decide: (problem: AttentionProblem, wasm: LoadedWasm) => {
      if (problem.dtype === "float64" || problem.bias?.dtype === "float64") {
        return { reasons: [float64] };
      }
      const decision = planProblem(problem, limitsOf(wasm, sharing));
      const bytes = totalBytes(problem, decision);
      const limit = wasm.memory.limit - reservedBytes;
      return bytes > limit ? { reasons: [tooLarge(bytes, limit)] } : { decision };
    },
    plan: (problem, decision: WasmPlan, wasm: LoadedWasm) => ({
      description: describePlan(problem, decision, wasm.build),
      run: (bound) => run(wasm, decision, bound),
    }),
  });
}

function limitsOf(wasm: LoadedWasm, sharing: SharingLimits): PlanLimits {
  const { threads, batchInvariant, kernels } = wasm;
  const tileElements = kernels.tileElements.value;
  return { ...sharing, threads, batchInvariant, tileElements };
}

const float64: SupportReason = {
  code: "dtype",
  message: "float64 is not supported: the kernels compute in float32",
  hint: "cast to float32, or use a backend that computes in float64",
};

const tooLarge = (bytes: number, limit: number): SupportReason => ({
  code: "memory",
  message: `inputs, outputs and workspace take ${bytes} bytes, and wasm memory has at most ${limit}`,
  hint: "split the batch or the heads over several calls",
});

/** Computes a call. Parts of keys are the same whether one thread or several compute them. */
function run(wasm: LoadedWasm, plan: WasmPlan, bound: BoundAttention): AttentionOutputs {
  const { memory, kernels, pool } = wasm;
  const { items, splits, work } = plan;
  const threads = pool?.isReady || pool?.isBroken ? plan.threads : 1;
  const job = new Job(memory, plan, bound, threads);
  try {
    const { descriptor, workspace } = job;
    if (pool && threads > 1) {
      pool.run({ descriptor, items, threads, workspace, workspaceBytes: work.bytes });
    } else {
      for (let item = 0; item < items; item++) kernels.attend(descriptor, workspace, item);
    }
    if (splits > 1) {
      const units = items / splits;
      for (let unit = 0; unit < units; unit++) kernels.merge(descriptor, workspace, unit);
    }
    return job.outputs();
  } finally {
    job.release();
  }
}
