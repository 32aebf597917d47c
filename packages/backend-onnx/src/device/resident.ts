import {
  type AnyOperation,
  type Bound,
  bytesPerElement,
  type CallTurn,
  type DeviceTensor,
  type DType,
  elementCount,
  InvalidInputError,
  isContiguous,
  isDeviceTensor,
  rowMajorStrides,
  type Tensor,
} from "@heed/core";
import { type Placed, type PooledBuffer, tensorUsage } from "@heed/gpu-memory";
import { type AxisOrder, canonicalOrder, storedDims } from "../layout/axis-order.js";
import type { Runtime, RuntimeTensor } from "../runtime/runtime.js";
import type { SessionModel, Sessions } from "../runtime/sessions.js";
import type { OnnxMemory } from "./memory.js";

/** An output of a graph, and the tensor that a caller gets for it. */
export interface OutputForm {
  readonly name: string;
  /** Type of the elements in the buffer. */
  readonly stored: DType;
  /** Sizes that the graph writes. */
  readonly dims: readonly number[];
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** An output of a run, and the buffer that it is in. */
interface Written {
  readonly form: OutputForm;
  readonly pooled: PooledBuffer;
  readonly fetched: RuntimeTensor;
}

/** Note of a plan about the layouts that {@link ResidentCall.feed} copies. */
export const packedLayouts =
  "a tensor on the device that onnxruntime cannot read in place (with gaps, or not from its buffer's start) is copied into row-major order there at each run";

/**
 * A call of which some tensors are on the device: its outputs then are. Inputs are kept alive from the call
 * until {@link releasedAfter}, whoever disposes them meanwhile, and rows of them that later calls write are written
 * after it.
 */
export class ResidentCall {
  readonly #runtime: Runtime;
  readonly #memory: OnnxMemory;
  readonly #placed = new Map<Tensor, Placed>();
  readonly #pooled: PooledBuffer[] = [];
  readonly #accepted: (Promise<void> | undefined)[] = [];
  /** Its place among the calls on the memory, of which some write rows in place. */
  readonly #turn: CallTurn;

  private constructor(runtime: Runtime, memory: OnnxMemory) {
    this.#runtime = runtime;
    this.#memory = memory;
    this.#turn = memory.tensors.order.take(false);
  }

  /**
   * @param memory the backend's; null where it has none
   * @returns null if all of the call's tensors are in host memory
   * @throws InvalidInputError naming a tensor of another device; DisposedError
   */
  static of(
    runtime: Runtime,
    memory: OnnxMemory | null,
    operation: AnyOperation,
    { problem, reads }: Bound,
  ): ResidentCall | null {
    if (memory === null || !reads.some(isDeviceTensor)) return null;
    const call = new ResidentCall(runtime, memory);
    const operands = operation.operands(problem);
    try {
      for (const [i, t] of reads.entries()) {
        if (!isDeviceTensor(t) || call.#placed.has(t)) continue;
        const placed = memory.tensors.place(operands[i]?.name ?? `input ${i}`, t);
        placed.storage.hold();
        call.#placed.set(t, placed);
      }
    } catch (error) {
      call.#release();
      throw error;
    }
    return call;
  }

  /**
   * A tensor's buffer as onnxruntime takes it: its own if that can be read in place, else a row-major copy on
   * the device.
   *
   * @param stored type of the elements that the graph reads
   * @param dims sizes of the graph's input, before they are put into `order`
   * @param order of the axes that the graph reads, which is the tensor's own unless it is the canonical one
   */
  feed(
    argument: string,
    t: DeviceTensor,
    stored: DType,
    dims: readonly number[],
    order: AxisOrder = canonicalOrder,
  ): RuntimeTensor {
    const placed = this.#placed.get(t) as Placed;
    const { layout, storage } = placed;
    const held = storage.stored ?? layout.dtype;
    if (held !== stored) {
      throw new InvalidInputError(
        argument,
        `elements stored as ${stored}, since the device has no float16`,
        `a buffer of ${held}`,
      );
    }
    const inPlace = order !== canonicalOrder || (layout.offset === 0 && isContiguous(t));
    const buffer = inPlace ? storage.buffer : this.#packed(placed);
    return this.#wrap(buffer, stored, order === canonicalOrder ? dims : storedDims(dims, order));
  }

  /** Runs a graph, which writes its outputs into new tensors. @throws OnnxRuntimeError, DeviceError */
  async run(
    sessions: Sessions,
    model: SessionModel,
    feeds: Readonly<Record<string, RuntimeTensor>>,
    forms: readonly OutputForm[],
  ): Promise<Record<string, DeviceTensor>> {
    const written = await this.#write(sessions, model, feeds, forms);
    const outputs: Record<string, DeviceTensor> = {};
    for (const { form, pooled } of written) {
      this.#pooled.splice(this.#pooled.indexOf(pooled), 1);
      const { name, dtype, shape } = form;
      const layout = { dtype, shape, strides: rowMajorStrides(shape), offset: 0 };
      outputs[name] = this.#memory.tensors.handOut(layout, pooled);
    }
    return outputs;
  }

  /** Runs a graph whose outputs later runs of this call read; they are let go of with the call. */
  async runPart(
    sessions: Sessions,
    model: SessionModel,
    feeds: Readonly<Record<string, RuntimeTensor>>,
    forms: readonly OutputForm[],
  ): Promise<Record<string, RuntimeTensor>> {
    const written = await this.#write(sessions, model, feeds, forms);
    return Object.fromEntries(written.map(({ form, fetched }) => [form.name, fetched]));
  }

  async #write(
    sessions: Sessions,
    model: SessionModel,
    feeds: Readonly<Record<string, RuntimeTensor>>,
    forms: readonly OutputForm[],
  ): Promise<Written[]> {
    const fetches: Record<string, RuntimeTensor> = {};
    const written: Written[] = [];
    for (const form of forms) {
      const pooled = this.#acquire(elementCount(form.shape) * bytesPerElement(form.stored));
      const fetched = this.#wrap(pooled.buffer, form.stored, form.dims);
      written.push({ form, pooled, fetched });
      fetches[form.name] = fetched;
    }
    if (this.#turn.ready) await this.#turn.ready;
    await Promise.all(this.#accepted);
    await sessions.run(model, feeds, fetches);
    return written;
  }

  /**
   * Waits for the call, and lets go of everything but its outputs: onnxruntime has then submitted its work, or
   * failed.
   */
  async releasedAfter<R>(call: Promise<R>): Promise<R> {
    try {
      return await call;
    } finally {
      this.#release();
    }
  }

  #release(): void {
    this.#turn.end();
    for (const { storage } of this.#placed.values()) storage.release();
    this.#placed.clear();
    for (const pooled of this.#pooled.splice(0)) this.#memory.tensors.pool.release(pooled);
  }

  #packed(placed: Placed): object {
    const { pooled, accepted } = this.#memory.packer.pack(placed, this.#turn.ready);
    this.#pooled.push(pooled);
    this.#accepted.push(accepted);
    return pooled.buffer;
  }

  #acquire(bytes: number): PooledBuffer {
    const { pooled, accepted } = this.#memory.tensors.pool.acquireNow(bytes, tensorUsage);
    this.#pooled.push(pooled);
    this.#accepted.push(accepted);
    return pooled;
  }

  #wrap(buffer: object, dataType: DType, dims: readonly number[]): RuntimeTensor {
    const { Tensor } = this.#runtime;
    if (!Tensor.fromGpuBuffer) {
      throw new InvalidInputError("runtime", "Tensor.fromGpuBuffer", "none");
    }
    if (dataType !== "int8") return Tensor.fromGpuBuffer(buffer, { dataType, dims });
    // onnxruntime-web 1.30 runs on buffers of int8, but its `fromGpuBuffer` throws: "unsupported type". To be
    // simplified when test/runtime-limits.browser.test.ts says so.
    const bytes = Tensor.fromGpuBuffer(buffer, { dataType: "uint8", dims });
    return Object.defineProperty(bytes, "type", { value: dataType });
  }
}
