import {
  type AttentionBackend,
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionPlan,
  type AttentionProblem,
  type BackendInfo,
  checkTensor,
  type DeviceTensor,
  DisposedError,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  type Support,
  type SupportReason,
  UnsupportedError,
} from "@heed/core";
import { Job } from "./job.js";
import type { WasmMemory } from "./memory.js";
import type { Kernels } from "./module.js";
import {
  defaultLimits,
  describePlan,
  type PlanLimits,
  planProblem,
  type SharingLimits,
  totalBytes,
  type WasmPlan,
} from "./plan.js";
import { WasmTensor } from "./tensor.js";
import type { ThreadPool } from "./threads/pool.js";

/** What alignment and the control block take at most. */
const reservedBytes = 65536;

/** What a backend is made of: see load.ts. */
export interface LoadedWasm {
  readonly memory: WasmMemory;
  readonly kernels: Kernels;
  /** null: the calling thread alone. */
  readonly pool: ThreadPool | null;
  /** Whether a row's result must not depend on the other rows of a call: see the option. */
  readonly batchInvariant: boolean;
  readonly info: BackendInfo;
}

/** float32 and float16 by SIMD, on one thread or several. Not for float64: its lanes are half as many. */
export class WasmBackend implements AttentionBackend {
  readonly name = "wasm";
  readonly info: BackendInfo;
  readonly #wasm: LoadedWasm;
  readonly #limits: PlanLimits;
  #disposed = false;

  /** @param limits of its plans; tests make every problem large enough to be shared */
  constructor(wasm: LoadedWasm, limits: SharingLimits = defaultLimits) {
    this.#wasm = wasm;
    this.#limits = {
      ...limits,
      threads: wasm.pool?.threads ?? 1,
      batchInvariant: wasm.batchInvariant,
      tileElements: wasm.kernels.tileElements.value,
    };
    this.info = wasm.info;
  }

  supports(problem: AttentionProblem): Support {
    const reasons: SupportReason[] = [];
    if (problem.dtype === "float64" || problem.bias?.dtype === "float64") {
      reasons.push({
        code: "dtype",
        message: "float64 is not supported: the kernels compute in float32",
        hint: "cast to float32, or use a backend that computes in float64",
      });
    } else {
      const bytes = totalBytes(problem, this.#plan(problem));
      const limit = this.#wasm.memory.limit - reservedBytes;
      if (bytes > limit) {
        reasons.push({
          code: "memory",
          message: `inputs, outputs and workspace take ${bytes} bytes, and wasm memory has at most ${limit}`,
          hint: "split the batch or the heads over several calls",
        });
      }
    }
    return reasons.length === 0 ? { ok: true } : { ok: false, reasons };
  }

  plan(problem: AttentionProblem): AttentionPlan {
    this.#checkAlive();
    const support = this.supports(problem);
    if (!support.ok) throw new UnsupportedError([{ backend: this.name, reasons: support.reasons }]);
    const plan = this.#plan(problem);
    let disposed = false;
    return {
      description: describePlan(problem, plan),
      run: async (inputs) => {
        if (disposed) throw new DisposedError("plan");
        this.#checkAlive();
        return this.#run(problem, plan, inputs);
      },
      dispose: () => {
        disposed = true;
      },
    };
  }

  /**
   * Copies a tensor into wasm memory.
   *
   * @throws WasmOutOfMemoryError, InvalidInputError for a tensor whose fields contradict one another and for
   *   dtypes that no input has here
   */
  async upload(t: HostTensor): Promise<DeviceTensor> {
    this.#checkAlive();
    checkTensor("tensor", t);
    if (isDeviceTensor(t)) {
      throw new InvalidInputError("tensor", "a host tensor", `a tensor of backend ${t.backend}`);
    }
    if (t.dtype !== "float32" && t.dtype !== "float16" && t.dtype !== "bool") {
      throw new InvalidInputError("tensor", "dtype float32, float16 or bool", t.dtype);
    }
    return WasmTensor.upload(this.#wasm.memory, t);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#wasm.pool?.dispose();
  }

  #checkAlive(): void {
    if (this.#disposed) throw new DisposedError("backend");
  }

  #plan(problem: AttentionProblem): WasmPlan {
    return planProblem(problem, this.#limits);
  }

  /** Does not yield, so that runs never overlap. */
  #run(problem: AttentionProblem, plan: WasmPlan, inputs: AttentionInputs): AttentionOutputs {
    const { memory, kernels, pool } = this.#wasm;
    const job = new Job(memory, problem, plan, inputs);
    try {
      const { descriptor, workspace } = job;
      if (pool && plan.threads > 1) {
        const { items, threads } = plan;
        pool.run({ descriptor, items, threads, workspace, workspaceBytes: plan.work.bytes });
      } else {
        for (let item = 0; item < plan.items; item++) kernels.attend(descriptor, workspace, item);
      }
      if (plan.splits > 1) {
        const units = plan.items / plan.splits;
        for (let unit = 0; unit < units; unit++) kernels.merge(descriptor, workspace, unit);
      }
      return job.outputs();
    } finally {
      job.release();
    }
  }
}
