import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionPlan,
  type AttentionProblem,
  bytesPerElement,
  type DeviceTensor,
  DisposedError,
  type DType,
  describeProblem,
  elementCount,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  type PlanDescription,
  rowMajorStrides,
  type Tensor,
  tensor,
  UnsupportedError,
} from "@heed/core";
import type { WebGpuBackend } from "./backend.js";
import type { Choice } from "./choose.js";
import { backendName } from "./faults.js";
import type { Kernel } from "./kernels/kernel.js";
import type { PooledBuffer } from "./memory/pool.js";
import { type DeviceLayout, readStaging, viewAs, WebGpuTensor } from "./memory/tensor.js";
import { upload } from "./memory/upload.js";
import { stagingUsage, tensorUsage } from "./memory/usage.js";
import { denseLayouts, layoutKey, operandOf } from "./operands.js";
import { type Buffers, Recorder } from "./recording.js";
import { schedule } from "./schedule/schedule.js";
import type { BufferName, Layouts, Schedule } from "./schedule/steps.js";

type InputName = "query" | "key" | "value" | "mask" | "bias";
type OutputName = "output" | "logSumExp" | "weights" | "scores";
const inputNames: readonly InputName[] = ["query", "key", "value", "mask", "bias"];

/** Operations that may be submitted at once: a driver may take a submission for one piece of work. */
const mostSubmittedWork = 1e10;

interface OutputSpec {
  readonly name: OutputName;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** A schedule that is ready to be recorded. */
interface Prepared {
  readonly key: string;
  readonly schedule: Schedule;
  readonly recorder: Recorder;
}

/** What recording into a caller's commands needs, as long as the plan lives. */
interface Encoding {
  readonly recorder: Recorder;
  readonly workspace: Buffers;
}

/** Calls of {@link WebGpuPlan.encode} that may await their submission. */
export const pendingEncodes = 64;

/** An input where the device has it. */
interface Placed {
  readonly layout: DeviceLayout;
  readonly buffer: GPUBuffer;
}

/** A problem made ready to run on a device. */
export class WebGpuPlan implements AttentionPlan {
  readonly description: PlanDescription;
  /** Those that inputs without gaps need; they are compiled before the plan is handed out. */
  readonly kernels: readonly Kernel[];
  readonly #backend: WebGpuBackend;
  readonly #problem: AttentionProblem;
  readonly #choice: Choice;
  readonly #outputs: readonly OutputSpec[];
  #prepared: Prepared | null = null;
  readonly #encodings = new Map<string, Encoding>();
  #disposed = false;

  constructor(backend: WebGpuBackend, problem: AttentionProblem) {
    this.#backend = backend;
    this.#problem = problem;
    this.#choice = backend.choose(problem);
    const dense = this.#schedule(denseLayouts(problem));
    this.kernels = kernelsOf(dense);
    this.#outputs = outputsOf(problem);
    this.description = {
      kernel: this.#choice.kernel,
      tiles: {
        query: this.#choice.rows,
        columns: this.#choice.columns,
        splits: this.#choice.splits,
      },
      workspaceBytes: [...dense.workspace.values()].reduce((a, b) => a + b, 0),
      dispatches: dense.steps.length,
    };
  }

  async run(inputs: AttentionInputs): Promise<AttentionOutputs> {
    this.#checkAlive();
    const onDevice = inputNames.some((name) => isDeviceTensor(inputs[name]));
    const borrowed: PooledBuffer[] = [];
    const owned = new Map<OutputName, PooledBuffer>();
    try {
      const placed = await this.#place(inputs, borrowed);
      const prepared = await this.#prepare(placed);
      const buffers = new Map<BufferName, { buffer: GPUBuffer; start: number }>();
      for (const [name, { buffer }] of placed) buffers.set(name, { buffer, start: 0 });
      for (const [name, bytes] of prepared.schedule.workspace) {
        const pooled = await this.#backend.pool.acquire(bytes, tensorUsage);
        borrowed.push(pooled);
        buffers.set(name, { buffer: pooled.buffer, start: 0 });
      }
      for (const { name, dtype, shape } of this.#outputs) {
        const bytes = elementCount(shape) * bytesPerElement(dtype);
        const pooled = await this.#backend.pool.acquire(bytes, tensorUsage);
        owned.set(name, pooled);
        buffers.set(name, { buffer: pooled.buffer, start: 0 });
      }
      // A device can be lost, and a plan disposed, while a run waits for memory.
      this.#checkAlive();
      return onDevice
        ? this.#leave(inputs, prepared, buffers, owned)
        : await this.#readBack(inputs, prepared, buffers, owned);
    } finally {
      // The device works in order: whoever gets these next writes to them later.
      for (const pooled of [...borrowed, ...owned.values()]) this.#backend.pool.release(pooled);
    }
  }

  /**
   * Records the plan into the caller's own commands; nothing is submitted. The first call for a
   * layout of inputs allocates a workspace and what dispatches are told; later ones allocate nothing
   * on the device. Lengths, offsets and per-head values are written by the queue when this is called,
   * so the commands must be submitted before {@link pendingEncodes} more calls are made.
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
    const placed = new Map<InputName, Placed>();
    for (const name of inputNames) {
      const t = inputs[name];
      if (t !== undefined) placed.set(name, this.#own(name, t));
    }
    const encoding = this.#prepareEncoding(layoutsOf(placed));
    const buffers = new Map(encoding.workspace);
    for (const [name, { buffer }] of placed) buffers.set(name, { buffer, start: 0 });
    for (const output of this.#outputs) {
      const { buffer, layout } = this.#checkOutput(output, outputs[output.name]);
      buffers.set(output.name, {
        buffer,
        start: layout.offset * bytesPerElement(output.dtype),
      });
    }
    const slot = encoding.recorder.begin(inputs);
    if ("dispatchWorkgroups" in target) {
      encoding.recorder.record(target, slot, buffers);
    } else {
      const pass = target.beginComputePass();
      encoding.recorder.record(pass, slot, buffers);
      pass.end();
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#prepared?.recorder.dispose();
    this.#prepared = null;
    for (const { recorder, workspace } of this.#encodings.values()) {
      recorder.dispose();
      for (const { buffer } of workspace.values()) buffer.destroy();
    }
    this.#encodings.clear();
  }

  #prepareEncoding(layouts: Layouts): Encoding {
    const key = layoutKey(layouts);
    let encoding = this.#encodings.get(key);
    if (!encoding) {
      const made = this.#schedule(layouts);
      const { device, pipelines } = this.#backend;
      const workspace = new Map<BufferName, { buffer: GPUBuffer; start: number }>();
      for (const [name, bytes] of made.workspace) {
        const size = Math.max(256, Math.ceil(bytes / 4) * 4);
        workspace.set(name, {
          buffer: device.createBuffer({ size, usage: tensorUsage }),
          start: 0,
        });
      }
      const recorder = new Recorder(device, pipelines, this.#problem, made, pendingEncodes);
      encoding = { recorder, workspace };
      this.#encodings.set(key, encoding);
    }
    return encoding;
  }

  #checkOutput({ name, dtype, shape }: OutputSpec, t: DeviceTensor | undefined): Placed {
    const argument = `outputs.${name}`;
    if (t === undefined) throw new InvalidInputError(argument, "a device tensor", "undefined");
    const placed = this.#own(argument, t);
    const { layout } = placed;
    const wanted = `${dtype} [${shape.join(", ")}]`;
    if (layout.dtype !== dtype || layout.shape.join() !== shape.join()) {
      throw new InvalidInputError(argument, wanted, `${t.dtype} [${t.shape.join(", ")}]`);
    }
    if (layout.strides.join() !== rowMajorStrides(shape).join()) {
      throw new InvalidInputError(argument, "row-major strides", `[${layout.strides.join(", ")}]`);
    }
    const start = layout.offset * bytesPerElement(dtype);
    const { minStorageBufferOffsetAlignment: alignment } = this.#backend.capabilities.limits;
    if (start % alignment !== 0) {
      throw new InvalidInputError(
        argument,
        `an offset of a multiple of ${alignment} bytes`,
        `${start}`,
      );
    }
    return placed;
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

  /** Brings every input to the device; what is uploaded for it is added to `borrowed`. */
  async #place(inputs: AttentionInputs, borrowed: PooledBuffer[]): Promise<Map<InputName, Placed>> {
    const placed = new Map<InputName, Placed>();
    for (const name of inputNames) {
      const t = inputs[name];
      if (t === undefined) continue;
      if (isDeviceTensor(t)) {
        placed.set(name, this.#own(name, t));
      } else {
        const { pooled, layout } = await upload(this.#backend, t);
        borrowed.push(pooled);
        placed.set(name, { layout, buffer: pooled.buffer });
      }
    }
    return placed;
  }

  #own(name: string, t: Tensor): Placed {
    if (!(t instanceof WebGpuTensor)) {
      const what = isDeviceTensor(t) ? `a tensor of backend ${t.backend}` : "a host tensor";
      throw new InvalidInputError(name, "a tensor in this backend's memory", what);
    }
    if (t.disposed) throw new DisposedError(name);
    t.adopt(this.#backend);
    if (t.device !== this.#backend.device) {
      throw new InvalidInputError(
        name,
        "a tensor of this backend's device",
        "one of another device",
      );
    }
    return { layout: t, buffer: t.buffer };
  }

  async #prepare(placed: ReadonlyMap<InputName, Placed>): Promise<Prepared> {
    const layouts = layoutsOf(placed);
    const key = layoutKey(layouts);
    if (this.#prepared?.key === key) return this.#prepared;
    const made = this.#schedule(layouts);
    await this.#backend.pipelines.prepare(kernelsOf(made));
    // Another call may have been faster; what it records with stays as long as it has not recorded.
    this.#checkAlive();
    if (this.#prepared?.key === key) return this.#prepared;
    this.#prepared?.recorder.dispose();
    const { device, pipelines } = this.#backend;
    const recorder = new Recorder(device, pipelines, this.#problem, made, 1);
    this.#prepared = { key, schedule: made, recorder };
    return this.#prepared;
  }

  /** Submits a run's dispatches, in as many submissions as their work asks for. */
  #submit(
    inputs: AttentionInputs,
    { schedule: { steps }, recorder }: Prepared,
    buffers: Buffers,
    finish: (encoder: GPUCommandEncoder) => void,
  ): Promise<void> {
    const { device, faults } = this.#backend;
    return faults.watch("running a plan", () => {
      const slot = recorder.begin(inputs);
      let first = 0;
      do {
        let work = 0;
        let end = first;
        while (end < steps.length && (end === first || work < mostSubmittedWork)) {
          work += (steps[end++] as (typeof steps)[number]).work;
        }
        const encoder = device.createCommandEncoder();
        if (end > first) {
          const pass = encoder.beginComputePass();
          recorder.record(pass, slot, buffers, first, end);
          pass.end();
        }
        if (end === steps.length) finish(encoder);
        device.queue.submit([encoder.finish()]);
        first = end;
      } while (first < steps.length);
    }).accepted;
  }

  /** Outputs stay on the device; nothing is waited for. */
  #leave(
    inputs: AttentionInputs,
    prepared: Prepared,
    buffers: Buffers,
    owned: Map<OutputName, PooledBuffer>,
  ): AttentionOutputs {
    const accepted = this.#submit(inputs, prepared, buffers, () => {});
    const outputs: Partial<Record<OutputName, WebGpuTensor>> = {};
    for (const { name, dtype, shape } of this.#outputs) {
      const pooled = owned.get(name) as PooledBuffer;
      owned.delete(name);
      outputs[name] = this.#backend.handOut(
        { dtype, shape, strides: rowMajorStrides(shape), offset: 0 },
        pooled.buffer,
        () => this.#backend.pool.release(pooled),
        accepted,
      );
    }
    return outputs as AttentionOutputs;
  }

  /** Outputs come back through one staging buffer. */
  async #readBack(
    inputs: AttentionInputs,
    prepared: Prepared,
    buffers: Buffers,
    owned: ReadonlyMap<OutputName, PooledBuffer>,
  ): Promise<AttentionOutputs> {
    const copies: { from: GPUBuffer; at: number; bytes: number }[] = [];
    let total = 0;
    for (const { name, dtype, shape } of this.#outputs) {
      const bytes = Math.ceil((elementCount(shape) * bytesPerElement(dtype)) / 8) * 8;
      copies.push({ from: (owned.get(name) as PooledBuffer).buffer, at: total, bytes });
      total += bytes;
    }
    const staging = await this.#backend.pool.acquire(total, stagingUsage);
    this.#checkAlive();
    const accepted = this.#submit(inputs, prepared, buffers, (encoder) => {
      for (const { from, at, bytes } of copies) {
        if (bytes > 0) encoder.copyBufferToBuffer(from, 0, staging.buffer, at, bytes);
      }
    });
    const data = await readStaging(this.#backend, staging, total, accepted);
    const outputs: Partial<Record<OutputName, HostTensor>> = {};
    for (const [i, { name, dtype, shape }] of this.#outputs.entries()) {
      const { at } = copies[i] as (typeof copies)[number];
      // A copy of its own, so that outputs can be transferred and freed one by one.
      const count = elementCount(shape);
      const bytes = data.slice(at, at + count * bytesPerElement(dtype));
      outputs[name] = tensor(viewAs(bytes, dtype), shape, { dtype });
    }
    return outputs as AttentionOutputs;
  }
}

function layoutsOf(placed: ReadonlyMap<InputName, Placed>): Layouts {
  const operand = (name: InputName) => {
    const found = placed.get(name);
    return found ? operandOf(found.layout) : null;
  };
  const [query, key, value, mask, bias] = inputNames.map(operand);
  return { query, key, value, mask, bias } as Layouts;
}

function kernelsOf({ steps }: Schedule): Kernel[] {
  return [...new Map(steps.map(({ kernel }) => [kernel.name, kernel])).values()];
}

function outputsOf(p: AttentionProblem): OutputSpec[] {
  const rows = [p.batch, p.queryHeads, p.queryLength];
  const wanted: [OutputName, boolean, DType, number[]][] = [
    ["output", true, p.dtype, [...rows, p.valueDim]],
    ["logSumExp", p.returns.logSumExp, "float32", rows],
    ["weights", p.returns.weights, p.dtype, [...rows, p.keyLength]],
    ["scores", p.returns.scores !== null, p.dtype, [...rows, p.keyLength]],
  ];
  return wanted
    .filter(([, asked]) => asked)
    .map(([name, , dtype, shape]) => ({ name, dtype, shape }));
}
