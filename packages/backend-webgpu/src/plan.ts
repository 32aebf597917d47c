import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionPlan,
  type AttentionProblem,
  bytesPerElement,
  type DeviceTensor,
  DisposedError,
  describeProblem,
  elementCount,
  InvalidInputError,
  type PlanDescription,
  rowMajorStrides,
  UnsupportedError,
} from "@heed/core";
import type { WebGpuBackend } from "./backend.js";
import { type Choice, keysOfTile } from "./choose.js";
import { backendName } from "./faults.js";
import type { PooledBuffer } from "./memory/pool.js";
import type { WebGpuTensor } from "./memory/tensor.js";
import { tensorUsage } from "./memory/usage.js";
import { denseLayouts } from "./operands.js";
import { Encodings } from "./plan/encoding.js";
import { type OutputName, type OutputSpec, outputsOf } from "./plan/outputs.js";
import { RunMemory } from "./plan/placing.js";
import { type Prepared, PreparedLayouts } from "./plan/prepared.js";
import { ReadBack } from "./plan/read-back.js";
import { submitRun } from "./plan/submit.js";
import { encodeRules } from "./rules.js";
import { schedule } from "./schedule/schedule.js";
import type { Layouts, Schedule } from "./schedule/steps.js";

export { pendingEncodes } from "./plan/encoding.js";

/** A problem made ready to run on a device. */
export class WebGpuPlan implements AttentionPlan {
  readonly description: PlanDescription;
  readonly #backend: WebGpuBackend;
  readonly #problem: AttentionProblem;
  readonly #choice: Choice;
  readonly #outputs: readonly OutputSpec[];
  readonly #prepared: PreparedLayouts;
  readonly #encodings: Encodings;
  /** For inputs without gaps; its kernels are compiled before the plan is handed out. */
  readonly #dense: Schedule;
  #disposed = false;

  constructor(backend: WebGpuBackend, problem: AttentionProblem) {
    this.#backend = backend;
    this.#problem = problem;
    this.#choice = backend.choose(problem);
    this.#outputs = outputsOf(problem);
    this.#dense = this.#schedule(denseLayouts(problem));
    const { device, pipelines } = backend;
    const scheduled = (layouts: Layouts): Schedule => this.#schedule(layouts);
    this.#prepared = new PreparedLayouts(device, pipelines, problem, scheduled);
    this.#encodings = new Encodings(backend, pipelines, problem, this.#outputs, scheduled);
    this.description = {
      kernel: this.#choice.kernel,
      tiles: {
        query: this.#choice.rows,
        key: keysOfTile(this.#choice),
        columns: this.#choice.columns,
        splits: this.#choice.splits,
      },
      workspaceBytes: [...this.#dense.workspace.values()].reduce((a, b) => a + b, 0),
      dispatches: this.#dense.steps.length,
    };
  }

  /** Compiles the kernels for inputs without gaps. @throws DeviceError */
  async prepare(): Promise<void> {
    const dense = this.#prepared.take(denseLayouts(this.#problem), this.#dense);
    try {
      await dense.ready;
    } finally {
      dense.release();
    }
  }

  async run(inputs: AttentionInputs): Promise<AttentionOutputs> {
    this.#checkAlive();
    // Everything of the call is looked at now, before anything is waited for.
    const rules = encodeRules(this.#problem, inputs);
    const memory = new RunMemory(this.#backend, inputs);
    let prepared: Prepared | null = null;
    const readBack = memory.onDevice ? null : new ReadBack(this.#backend, this.#outputs);
    try {
      prepared = this.#prepared.take(memory.layouts);
      await prepared.ready;
      await memory.uploadInputs();
      for (const [name, bytes] of prepared.schedule.workspace) {
        await memory.allocate(name, bytes, tensorUsage);
      }
      const outputs = new Map<OutputName, PooledBuffer>();
      for (const { name, dtype, shape } of this.#outputs) {
        const bytes = elementCount(shape) * bytesPerElement(dtype);
        outputs.set(name, await memory.allocate(name, bytes, tensorUsage));
      }
      await readBack?.allocate();
      // A device can be lost, and a plan disposed, while a run waits for memory.
      this.#checkAlive();
      const { device, faults } = this.#backend;
      const accepted = submitRun(device, faults, prepared, rules, memory.buffers, (encoder) =>
        readBack?.record(encoder, outputs),
      );
      if (readBack === null) return this.#handOut(memory, outputs, accepted);
      memory.release();
      return await readBack.finish(accepted);
    } finally {
      prepared?.release();
      memory.release();
      readBack?.release();
    }
  }

  /**
   * Records the plan into the caller's own commands; nothing is submitted. The first call for a
   * layout of inputs allocates a workspace and a buffer of parameters; later ones allocate nothing on
   * the device. Lengths, offsets and per-head values are written by the queue when this is called,
   * so the commands must be submitted before {@link pendingEncodes} more calls are made, and before
   * the plan or any of the tensors is disposed.
   *
   * Errors of the device go to the caller's error scopes.
   *
   * @param target a compute pass, or an encoder without an open pass
   * @param inputs a call of the plan's problem; every tensor on the backend's device
   * @param outputs those that the problem returns: row-major, without gaps, at multiples of 256 bytes
   * @throws InvalidInputError naming the argument at fault
   */
  encode(
    target: GPUComputePassEncoder | GPUCommandEncoder,
    inputs: AttentionInputs<DeviceTensor>,
    outputs: AttentionOutputs<DeviceTensor>,
  ): void {
    this.#checkAlive();
    const { key } = describeProblem(inputs);
    if (key !== this.#problem.key) {
      throw new InvalidInputError("inputs", `a call of the problem ${this.#problem.key}`, key);
    }
    this.#encodings.encode(target, inputs, outputs);
  }

  /** Releases what the plan holds. Runs that have submitted their work finish; others reject. */
  dispose(): void {
    this.#disposed = true;
    this.#prepared.dispose();
    this.#encodings.dispose();
  }

  #checkAlive(): void {
    if (this.#disposed) throw new DisposedError("plan");
    this.#backend.checkAlive();
  }

  #schedule(layouts: Layouts): Schedule {
    const made = schedule(this.#problem, this.#choice, layouts, this.#backend.capabilities);
    if (made) return made;
    const message = "a single row, with its strides, is more than the device binds at once";
    throw new UnsupportedError([{ backend: backendName, reasons: [{ code: "size", message }] }]);
  }

  /** Outputs stay on the device; nothing is waited for. */
  #handOut(
    memory: RunMemory,
    buffers: ReadonlyMap<OutputName, PooledBuffer>,
    accepted: Promise<void>,
  ): AttentionOutputs {
    const outputs: Partial<Record<OutputName, WebGpuTensor>> = {};
    for (const { name, dtype, shape } of this.#outputs) {
      const pooled = buffers.get(name) as PooledBuffer;
      memory.keep(pooled);
      const layout = { dtype, shape, strides: rowMajorStrides(shape), offset: 0 };
      outputs[name] = this.#backend.handOut(layout, pooled, accepted);
    }
    return outputs as AttentionOutputs;
  }
}
