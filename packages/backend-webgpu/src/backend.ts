import {
  type AttentionBackend,
  type AttentionProblem,
  type BackendInfo,
  type DeviceTensor,
  DisposedError,
  type HostTensor,
  InvalidInputError,
  type Support,
  type SupportReason,
  UnsupportedError,
} from "@heed/core";
import { type Choice, choose, type Preferences } from "./choose.js";
import type { OpenDevice } from "./device.js";
import { backendName, Faults } from "./faults.js";
import { unbounded } from "./kernels/rules.js";
import { BufferPool, type PooledBuffer } from "./memory/pool.js";
import { GpuStorage } from "./memory/storage.js";
import { type DeviceLayout, type DeviceMemory, WebGpuTensor } from "./memory/tensor.js";
import { stageTensor, uploadStaged } from "./memory/upload.js";
import { denseLayouts } from "./operands.js";
import { Pipelines } from "./pipelines.js";
import { WebGpuPlan } from "./plan.js";
import { schedule } from "./schedule/schedule.js";

/** Attention on one GPUDevice. */
export class WebGpuBackend implements AttentionBackend, DeviceMemory {
  readonly name: string = backendName;
  readonly info: BackendInfo;
  /** The device that everything runs on. */
  readonly device: GPUDevice;
  readonly faults: Faults;
  readonly pool: BufferPool;
  readonly pipelines: Pipelines;
  readonly #open: OpenDevice;
  readonly #preferences: Preferences;
  /** Number of tensors handed out: they keep the device, also after `dispose`. */
  #tensors = 0;
  #disposed = false;

  constructor(open: OpenDevice, preferences: Preferences = {}) {
    this.#open = open;
    this.#preferences = preferences;
    this.device = open.device;
    this.faults = Faults.of(open.device);
    this.pool = new BufferPool(open.device, this.faults);
    this.pipelines = Pipelines.of(open.device);
    const { name, features, notes } = open;
    this.info = { runtime: "WebGPU", device: name, features, threads: 1, notes };
  }

  get capabilities(): OpenDevice["capabilities"] {
    return this.#open.capabilities;
  }

  /** The kernel and the sizes that a problem gets here. */
  choose(problem: AttentionProblem): Choice {
    return choose(problem, this.capabilities, this.#preferences);
  }

  supports(problem: AttentionProblem): Support {
    const reasons: SupportReason[] = [];
    if (problem.dtype === "float64") {
      reasons.push({
        code: "dtype",
        message: "WGSL has no float64",
        hint: "cast to float32, or use the js backend",
      });
    }
    if (Math.max(problem.queryLength, problem.keyLength) >= unbounded) {
      reasons.push({
        code: "size",
        message: "lengths of 2^29 and more are beyond the kernels' indices",
      });
    }
    if (reasons.length === 0) {
      const choice = this.choose(problem);
      const planned = schedule(problem, choice, denseLayouts(problem), this.capabilities);
      if (planned === null) {
        reasons.push({
          code: "size",
          message: `a single row is more than the device binds at once, ${this.capabilities.limits.maxStorageBufferBindingSize} bytes`,
        });
      }
    }
    return reasons.length === 0 ? { ok: true } : { ok: false, reasons };
  }

  /** Chooses kernels and compiles them; compiled ones are kept. */
  async plan(problem: AttentionProblem): Promise<WebGpuPlan> {
    this.checkAlive();
    const support = this.supports(problem);
    if (!support.ok) throw new UnsupportedError([{ backend: this.name, reasons: support.reasons }]);
    const plan = new WebGpuPlan(this, problem);
    await plan.prepare();
    return plan;
  }

  async upload(t: HostTensor): Promise<DeviceTensor> {
    this.checkAlive();
    if (t.dtype === "float64") {
      throw new InvalidInputError("tensor", "a dtype that WGSL has, such as float32", t.dtype);
    }
    const staged = stageTensor("tensor", t);
    const pooled = await uploadStaged(this, staged);
    return this.handOut(staged.layout, pooled);
  }

  /**
   * A tensor that belongs to the caller from now on.
   *
   * @param filled rejects if the device refuses the work that fills the tensor
   */
  handOut(layout: DeviceLayout, pooled: PooledBuffer, filled?: Promise<void>): WebGpuTensor {
    this.#tensors += 1;
    const storage = new GpuStorage(pooled.buffer, () => {
      this.pool.release(pooled);
      this.#tensors -= 1;
      this.#destroyUnused();
    });
    return new WebGpuTensor(layout, storage, this, filled);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.pool.dispose();
    this.#destroyUnused();
  }

  /** @throws DisposedError, DeviceLostError */
  checkAlive(): void {
    if (this.#disposed) throw new DisposedError("backend");
    this.faults.checkPresent();
  }

  #destroyUnused(): void {
    if (this.#disposed && this.#tensors === 0 && this.#open.owned) this.device.destroy();
  }
}
