import {
  type Bound,
  bytesPerElement,
  type DeviceTensor,
  DisposedError,
  elementCount,
  type KernelPlan,
  type PlanDescription,
  rowMajorStrides,
  type Tensor,
} from "@heed/core";
import type { PooledBuffer } from "@heed/gpu-memory";
import type { Context } from "../context.js";
import { Encodings } from "./encodings.js";
import { KeptBuffer } from "./kept-buffer.js";
import { type Prepared, PreparedLayouts } from "./prepared.js";
import type { Program } from "./program.js";
import { ReadBack } from "./read-back.js";
import { recordRun } from "./record-run.js";
import { RunMemory } from "./run-memory.js";

/** A problem of any operation made ready to run on a device. */
export class DevicePlan<B extends Bound, Outputs> implements KernelPlan<B, Outputs> {
  readonly description: PlanDescription;
  readonly #context: Context;
  readonly #program: Program<B>;
  readonly #prepared: PreparedLayouts;
  readonly #encodings: Encodings<B>;
  readonly #kept: KeptBuffer;
  #disposed = false;

  constructor(context: Context, program: Program<B>) {
    const { device, memory, pipelines, commands } = context;
    this.description = program.description;
    this.#context = context;
    this.#program = program;
    this.#prepared = new PreparedLayouts(device, pipelines, commands, program);
    this.#kept = new KeptBuffer(device, commands);
    this.#encodings = new Encodings(device, memory, pipelines, program);
  }

  /** Compiles the kernels for row-major inputs. @throws DeviceError */
  async prepare(): Promise<void> {
    const { layouts, schedule } = this.#program.dense;
    const dense = this.#prepared.take(layouts, "", schedule);
    try {
      await dense.ready;
    } finally {
      dense.release();
    }
  }

  async run(bound: B): Promise<Outputs> {
    this.#checkAlive();
    const { commands, memory } = this.#context;
    const { reads, writes } = this.#program;
    // Everything of the call is looked at now, before anything is waited for.
    const { kept } = this.#program;
    const words = kept?.words(bound);
    const rules = this.#program.encode(bound);
    const variant = this.#program.variantOf?.(bound);
    const run = new RunMemory(memory, reads, bound.reads);
    const turn = run.onDevice ? memory.order.take(this.#program.updates === true) : null;
    const readBack = run.onDevice ? null : new ReadBack(memory, writes);
    let prepared: Prepared | null = null;
    try {
      prepared = this.#prepared.take(run.layouts, variant);
      await prepared.ready;
      await run.uploadInputs();
      for (const [name, bytes] of prepared.schedule.workspace) await run.allocate(name, bytes);
      const outputs = new Map<string, PooledBuffer<GPUBuffer>>();
      for (const { name, dtype, shape } of writes) {
        const bytes = elementCount(shape) * bytesPerElement(dtype);
        outputs.set(name, await run.allocate(name, bytes));
      }
      await readBack?.allocate();
      if (turn?.ready) await turn.ready;
      // A device can be lost, and a plan disposed, while a run waits for memory.
      this.#checkAlive();
      if (kept && words) run.add(kept.name, this.#kept.place(words));
      const accepted = recordRun(commands, prepared, rules, run.buffers, (encoder) =>
        readBack?.record(encoder, outputs),
      );
      if (readBack !== null || run.shown) commands.submit();
      turn?.end();
      if (readBack === null) return this.#handOut(run, outputs, accepted) as Outputs;
      run.release();
      return (await readBack.finish(accepted)) as Outputs;
    } finally {
      turn?.end();
      prepared?.release();
      run.release();
      readBack?.release();
    }
  }

  /** See `WebGpuPlan.encode`. */
  encode(
    target: GPUComputePassEncoder | GPUCommandEncoder,
    bound: B,
    outputs: Readonly<Record<string, DeviceTensor | undefined>>,
  ): void {
    this.#checkAlive();
    // The caller's commands may read what calls have recorded.
    this.#context.commands.submit();
    this.#encodings.encode(target, bound, outputs);
  }

  /** Releases what the plan holds. Runs that have recorded their work finish; others reject. */
  dispose(): void {
    this.#disposed = true;
    this.#prepared.dispose();
    this.#encodings.dispose();
    this.#kept.dispose();
  }

  #checkAlive(): void {
    if (this.#disposed) throw new DisposedError("plan");
    this.#context.checkAlive();
  }

  /** Outputs stay on the device; nothing is waited for. */
  #handOut(
    run: RunMemory,
    buffers: ReadonlyMap<string, PooledBuffer<GPUBuffer>>,
    accepted: Promise<void>,
  ): Readonly<Record<string, Tensor>> {
    const outputs: Record<string, Tensor> = {};
    for (const { name, dtype, shape } of this.#program.writes) {
      const pooled = buffers.get(name) as PooledBuffer<GPUBuffer>;
      run.keep(pooled);
      const layout = { dtype, shape, strides: rowMajorStrides(shape), offset: 0 };
      outputs[name] = this.#context.memory.handOut(layout, pooled, accepted);
    }
    return outputs;
  }
}
