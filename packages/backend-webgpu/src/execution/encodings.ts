import {
  type Bound,
  bytesPerElement,
  type DeviceTensor,
  InvalidInputError,
  type OperandSpec,
  rowMajorStrides,
} from "@heed/core";
import { type GpuMemory, type Placed, tensorUsage } from "@heed/gpu-memory";
import { KeptBuffer } from "./kept-buffer.js";
import { pendingEncodes } from "./pending-encodes.js";
import type { Pipelines } from "./pipelines.js";
import type { Program } from "./program.js";
import { type Buffers, Recorder } from "./recorder.js";
import { type Layouts, layoutKey } from "./steps.js";

/** Layouts of inputs whose recorder and workspace are kept; the least recently used go first. */
export const encodedLayouts = 16;

/** A recorder and a workspace of its own, for commands that the caller submits at any later time. */
interface Encoding {
  readonly recorder: Recorder;
  readonly workspace: Buffers;
}

/** Records a program's dispatches into commands of the caller. */
export class Encodings<B extends Bound> {
  readonly #memory: GpuMemory<GPUBuffer>;
  readonly #device: GPUDevice;
  readonly #pipelines: Pipelines;
  readonly #program: Program<B>;
  /** In order of use. */
  readonly #entries = new Map<string, Encoding>();
  /** Large data of the calls that may await their submission, the latest last. */
  readonly #kept: KeptBuffer[] = [];

  constructor(
    device: GPUDevice,
    // Without the buffers' type, which the declarations of an application without WebGPU's types lack.
    memory: GpuMemory,
    pipelines: Pipelines,
    program: Program<B>,
  ) {
    this.#device = device;
    this.#memory = memory as GpuMemory<GPUBuffer>;
    this.#pipelines = pipelines;
    this.#program = program;
  }

  /** @throws InvalidInputError naming the argument at fault */
  encode(
    target: GPUComputePassEncoder | GPUCommandEncoder,
    bound: B,
    outputs: Readonly<Record<string, DeviceTensor | undefined>>,
  ): void {
    const placed = new Map<string, Placed<GPUBuffer>>();
    for (const [i, t] of bound.reads.entries()) {
      const name = this.#program.reads[i] as string;
      placed.set(name, this.#memory.place(name, t));
    }
    const layouts = new Map([...placed].map(([name, { layout }]) => [name, layout]));
    const { recorder, workspace } = this.#entry(layouts, this.#program.variantOf?.(bound));
    const buffers = new Map(workspace);
    for (const [name, { storage }] of placed) {
      buffers.set(name, { buffer: storage.buffer, start: 0 });
    }
    for (const spec of this.#program.writes) {
      const { storage, layout } = this.#checkOutput(spec, outputs[spec.name]);
      const start = layout.offset * bytesPerElement(spec.dtype);
      buffers.set(spec.name, { buffer: storage.buffer, start });
    }
    const { kept } = this.#program;
    if (kept) buffers.set(kept.name, { buffer: this.#place(kept.words(bound)), start: 0 });
    const slot = recorder.begin(this.#program.encode(bound));
    if ("dispatchWorkgroups" in target) {
      recorder.record(target, slot, buffers);
    } else {
      const pass = target.beginComputePass();
      recorder.record(pass, slot, buffers);
      pass.end();
    }
  }

  /** Data that is not that of the last call gets a buffer that no call needs any more. */
  #place(words: Uint32Array): GPUBuffer {
    const last = this.#kept.at(-1);
    if (last?.holds(words)) return last.place(words);
    const full = this.#kept.length === pendingEncodes;
    const next = (full && this.#kept.shift()) || new KeptBuffer(this.#device);
    this.#kept.push(next);
    return next.place(words);
  }

  dispose(): void {
    for (const kept of this.#kept.splice(0)) kept.dispose();
    for (const { recorder, workspace } of this.#entries.values()) {
      recorder.dispose();
      for (const { buffer } of workspace.values()) buffer.destroy();
    }
    this.#entries.clear();
  }

  #entry(layouts: Layouts, variant = ""): Encoding {
    const key = `${variant} ${layoutKey(layouts)}`;
    let entry = this.#entries.get(key);
    if (entry) this.#entries.delete(key);
    else entry = this.#prepare(layouts, variant);
    this.#entries.set(key, entry);
    if (this.#entries.size > encodedLayouts) {
      // Only forgotten, not destroyed: commands that the caller has yet to submit may use its buffers.
      this.#entries.delete(this.#entries.keys().next().value as string);
    }
    return entry;
  }

  #prepare(layouts: Layouts, variant: string): Encoding {
    const schedule = this.#program.schedule(layouts, variant);
    const workspace = new Map<string, { buffer: GPUBuffer; start: number }>();
    for (const [name, bytes] of schedule.workspace) {
      const size = Math.max(256, Math.ceil(bytes / 4) * 4);
      const buffer = this.#device.createBuffer({ size, usage: tensorUsage });
      workspace.set(name, { buffer, start: 0 });
    }
    const recorder = new Recorder(
      this.#device,
      this.#pipelines,
      schedule,
      this.#program.rulesBytes,
      { slots: pendingEncodes },
    );
    return { recorder, workspace };
  }

  #checkOutput(
    { name, dtype, shape }: OperandSpec,
    t: DeviceTensor | undefined,
  ): Placed<GPUBuffer> {
    const argument = `outputs.${name}`;
    if (t === undefined) throw new InvalidInputError(argument, "a device tensor", "undefined");
    const placed = this.#memory.place(argument, t);
    const { layout } = placed;
    const expected = `${dtype} [${shape.join(", ")}]`;
    if (layout.dtype !== dtype || layout.shape.join() !== shape.join()) {
      throw new InvalidInputError(argument, expected, `${t.dtype} [${t.shape.join(", ")}]`);
    }
    if (layout.strides.join() !== rowMajorStrides(shape).join()) {
      throw new InvalidInputError(argument, "row-major strides", `[${layout.strides.join(", ")}]`);
    }
    const start = layout.offset * bytesPerElement(dtype);
    const alignment = this.#device.limits.minStorageBufferOffsetAlignment;
    if (start % alignment !== 0) {
      throw new InvalidInputError(
        argument,
        `an offset of a multiple of ${alignment} bytes`,
        `${start}`,
      );
    }
    return placed;
  }
}
