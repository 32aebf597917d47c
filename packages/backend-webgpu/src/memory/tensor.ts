import {
  allocate,
  bytesPerElement,
  contiguous,
  type DeviceTensor,
  DisposedError,
  type DType,
  elementCount,
  type HostTensor,
  InvalidInputError,
  type TypedArray,
  tensor,
} from "@heed/core";
import { backendName, type Faults } from "../faults.js";
import type { BufferPool, PooledBuffer } from "./pool.js";
import { mapRead, stagingUsage, usage } from "./usage.js";

/** What a tensor needs of the backend to be read. */
export interface DeviceMemory {
  readonly device: GPUDevice;
  readonly faults: Faults;
  readonly pool: BufferPool;
}

/** How a tensor lies in a buffer; offset and strides in elements. */
export interface DeviceLayout {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** A tensor in a GPUBuffer. float16 is stored as such, bool as a byte an element. */
export class WebGpuTensor implements DeviceTensor, DeviceLayout {
  readonly backend: string = backendName;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  /** Where the elements are. */
  readonly buffer: GPUBuffer;
  #memory: DeviceMemory | null;
  #release: (() => void) | null;
  /** Rejects if the device refused the work that fills the tensor. */
  readonly #filled: Promise<void>;
  #disposed = false;

  constructor(
    layout: DeviceLayout,
    buffer: GPUBuffer,
    memory: DeviceMemory | null,
    release: (() => void) | null,
    filled: Promise<void> = Promise.resolve(),
  ) {
    this.dtype = layout.dtype;
    this.shape = Object.freeze([...layout.shape]);
    this.strides = Object.freeze([...layout.strides]);
    this.offset = layout.offset;
    this.buffer = buffer;
    this.#memory = memory;
    this.#release = release;
    this.#filled = filled;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** The device that the buffer is known to belong to. */
  get device(): GPUDevice | null {
    return this.#memory?.device ?? null;
  }

  /** A wrapped buffer does not say whose it is: the backend that first works with it does. */
  adopt(memory: DeviceMemory): void {
    this.#memory ??= memory;
  }

  async read(): Promise<HostTensor> {
    if (this.#disposed) throw new DisposedError("tensor");
    const memory = this.#memory;
    if (memory === null) {
      throw new InvalidInputError(
        "tensor",
        "a buffer whose device is known: one that a run has used",
        "a wrapped buffer that no run has used",
      );
    }
    await this.#filled;
    const { dtype, shape, strides, offset } = this;
    const last = shape.reduce(
      (at, size, axis) => at + (strides[axis] as number) * (size - 1),
      offset,
    );
    if (elementCount(shape) === 0) return tensor(allocate(dtype, 0), shape, { dtype });
    if ((this.buffer.usage & usage.copySource) === 0) {
      throw new InvalidInputError("tensor", "a buffer with usage COPY_SRC", "one without");
    }
    const size = bytesPerElement(dtype);
    const from = Math.floor((offset * size) / 4) * 4;
    const bytes = Math.ceil(((last + 1) * size - from) / 4) * 4;
    const staging = await memory.pool.acquire(bytes, stagingUsage);
    const copied = memory.faults.watch("reading a tensor", () => {
      const encoder = memory.device.createCommandEncoder();
      encoder.copyBufferToBuffer(this.buffer, from, staging.buffer, 0, bytes);
      memory.device.queue.submit([encoder.finish()]);
    });
    const data = await readStaging(memory, staging, bytes, copied.accepted);
    const view = tensor(viewAs(data, dtype), shape, {
      dtype,
      strides,
      offset: offset - from / size,
    });
    return contiguous(view);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#release?.();
    this.#release = null;
  }
}

/**
 * Waits for what was copied into a staging buffer, and gives the buffer back.
 *
 * @param accepted of the submission that copies
 */
export async function readStaging(
  { faults, pool }: Pick<DeviceMemory, "faults" | "pool">,
  staging: PooledBuffer,
  bytes: number,
  accepted: Promise<void>,
): Promise<ArrayBuffer> {
  const { buffer } = staging;
  try {
    const mapped = buffer.mapAsync(mapRead, 0, bytes);
    mapped.catch(() => {});
    await accepted;
    await faults.orLost(mapped);
    // A copy, since unmapping detaches the mapped range.
    const data = buffer.getMappedRange(0, bytes).slice(0);
    buffer.unmap();
    pool.release(staging);
    return data;
  } catch (error) {
    // It may still be mapped, or about to be.
    buffer.destroy();
    pool.forget(staging);
    throw error;
  }
}

/** Elements of a dtype over bytes; float16 as the runtime has it. */
export function viewAs(data: ArrayBuffer, dtype: DType): TypedArray {
  const empty = allocate(dtype, 0);
  const Elements = empty.constructor as new (
    buffer: ArrayBuffer,
    byteOffset: number,
    length: number,
  ) => TypedArray;
  return new Elements(data, 0, Math.floor(data.byteLength / bytesPerElement(dtype)));
}
