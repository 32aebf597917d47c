import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionProblem,
  bytesPerElement,
  type DeviceTensor,
  InvalidInputError,
  rowMajorStrides,
} from "@heed/core";
import type { DeviceMemory } from "../memory/tensor.js";
import { tensorUsage } from "../memory/usage.js";
import { layoutKey } from "../operands.js";
import type { Pipelines } from "../pipelines.js";
import { type Buffers, Recorder } from "../recording.js";
import { encodeRules } from "../rules.js";
import type { BufferName, Layouts, Schedule } from "../schedule/steps.js";
import type { OutputSpec } from "./outputs.js";
import { type InputName, inputNames, layoutsOf, ownTensor, type Placed } from "./placing.js";

/** Calls of `encode` that may await their submission. */
export const pendingEncodes = 64;

/** Layouts of inputs whose recorder and workspace are kept; the least recently used go first. */
export const encodedLayouts = 16;

/** A recorder and a workspace of its own, for commands that the caller submits at any later time. */
interface Encoding {
  readonly recorder: Recorder;
  readonly workspace: Buffers;
}

/** Records a problem's dispatches into commands of the caller. */
export class Encodings {
  readonly #memory: DeviceMemory;
  readonly #pipelines: Pipelines;
  readonly #problem: AttentionProblem;
  readonly #outputs: readonly OutputSpec[];
  readonly #schedule: (layouts: Layouts) => Schedule;
  /** In order of use. */
  readonly #entries = new Map<string, Encoding>();

  constructor(
    memory: DeviceMemory,
    pipelines: Pipelines,
    problem: AttentionProblem,
    outputs: readonly OutputSpec[],
    schedule: (layouts: Layouts) => Schedule,
  ) {
    this.#memory = memory;
    this.#pipelines = pipelines;
    this.#problem = problem;
    this.#outputs = outputs;
    this.#schedule = schedule;
  }

  /** @throws InvalidInputError naming the argument at fault */
  encode(
    target: GPUComputePassEncoder | GPUCommandEncoder,
    inputs: AttentionInputs<DeviceTensor>,
    outputs: AttentionOutputs<DeviceTensor>,
  ): void {
    const placed = new Map<InputName, Placed>();
    for (const name of inputNames) {
      const t = inputs[name];
      if (t !== undefined) placed.set(name, ownTensor(this.#memory, name, t));
    }
    const layouts = layoutsOf(
      Object.fromEntries([...placed].map(([name, { layout }]) => [name, layout])),
    );
    const { recorder, workspace } = this.#entry(layouts);
    const buffers = new Map(workspace);
    for (const [name, { storage }] of placed) {
      buffers.set(name, { buffer: storage.buffer, start: 0 });
    }
    for (const spec of this.#outputs) {
      const { storage, layout } = this.#checkOutput(spec, outputs[spec.name]);
      const start = layout.offset * bytesPerElement(spec.dtype);
      buffers.set(spec.name, { buffer: storage.buffer, start });
    }
    const slot = recorder.begin(encodeRules(this.#problem, inputs));
    if ("dispatchWorkgroups" in target) {
      recorder.record(target, slot, buffers);
    } else {
      const pass = target.beginComputePass();
      recorder.record(pass, slot, buffers);
      pass.end();
    }
  }

  dispose(): void {
    for (const { recorder, workspace } of this.#entries.values()) {
      recorder.dispose();
      for (const { buffer } of workspace.values()) buffer.destroy();
    }
    this.#entries.clear();
  }

  #entry(layouts: Layouts): Encoding {
    const key = layoutKey(layouts);
    let entry = this.#entries.get(key);
    if (entry) this.#entries.delete(key);
    else entry = this.#prepare(layouts);
    this.#entries.set(key, entry);
    if (this.#entries.size > encodedLayouts) {
      // Only forgotten, not destroyed: commands that the caller has yet to submit may use its buffers.
      this.#entries.delete(this.#entries.keys().next().value as string);
    }
    return entry;
  }

  #prepare(layouts: Layouts): Encoding {
    const schedule = this.#schedule(layouts);
    const { device } = this.#memory;
    const workspace = new Map<BufferName, { buffer: GPUBuffer; start: number }>();
    for (const [name, bytes] of schedule.workspace) {
      const size = Math.max(256, Math.ceil(bytes / 4) * 4);
      const buffer = device.createBuffer({ size, usage: tensorUsage });
      workspace.set(name, { buffer, start: 0 });
    }
    const recorder = new Recorder(device, this.#pipelines, this.#problem, schedule, pendingEncodes);
    return { recorder, workspace };
  }

  #checkOutput({ name, dtype, shape }: OutputSpec, t: DeviceTensor | undefined): Placed {
    const argument = `outputs.${name}`;
    if (t === undefined) throw new InvalidInputError(argument, "a device tensor", "undefined");
    const placed = ownTensor(this.#memory, argument, t);
    const { layout } = placed;
    const expected = `${dtype} [${shape.join(", ")}]`;
    if (layout.dtype !== dtype || layout.shape.join() !== shape.join()) {
      throw new InvalidInputError(argument, expected, `${t.dtype} [${t.shape.join(", ")}]`);
    }
    if (layout.strides.join() !== rowMajorStrides(shape).join()) {
      throw new InvalidInputError(argument, "row-major strides", `[${layout.strides.join(", ")}]`);
    }
    const start = layout.offset * bytesPerElement(dtype);
    const alignment = this.#memory.device.limits.minStorageBufferOffsetAlignment;
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
