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
import type { GpuStorage } from "./storage.js";
import { mapRead, stagingUsage, usage } from "./usage.js";

/** A device and its buffers, as tensors and uploads need them. */
export interface DeviceMemory {
  readonly device: GPUDevice;
  readonly faults: Faults;
  readonly pool: BufferPool;
}

/** Layout of a tensor in a buffer; offset and strides in elements. */
export interface DeviceLayout {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** A tensor in a GPUBuffer. float16 takes 2 bytes an element, bool one. */
export class WebGpuTensor implements DeviceTensor, DeviceLayout {
  readonly backend: string = backendName;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly storage: GpuStorage;
  #memory: DeviceMemory | null;
  /** Rejects if the device refused the work that fills the tensor. */
  readonly #filled: Promise<void>;
  #disposed = false;

  /** @param memory of the device that the buffer belongs to; null where that is not known yet */
  constructor(
    layout: DeviceLayout,
    storage: GpuStorage,
    memory: DeviceMemory | null,
    filled: Promise<void> = Promise.resolve(),
  ) {
    this.dtype = layout.dtype;
    this.shape = Object.freeze([...layout.shape]);
    this.strides = Object.freeze([...layout.strides]);
    this.offset = layout.offset;
    this.storage = storage;
    this.#memory = memory;
    this.#filled = filled;
  }

  /** The buffer that the elements are in. */
  get buffer(): GPUBuffer {
    return this.storage.buffer;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** The device that the buffer is known to belong to. */
  get device(): GPUDevice | null {
    return this.#memory?.device ?? null;
  }

  /** Sets the memory of a wrapped buffer, which does not tell its device, when a backend first uses it. */
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
    this.storage.hold();
    try {
      await this.#filled;
      return await this.#read(memory);
    } finally {
      this.storage.release();
    }
  }

  async #read(memory: DeviceMemory): Promise<HostTensor> {
    const { dtype, shape, strides, offset, buffer } = this;
    const last = shape.reduce(
      (at, size, axis) => at + (strides[axis] as number) * (size - 1),
      offset,
    );
    if (elementCount(shape) === 0) return tensor(allocate(dtype, 0), shape, { dtype });
    if ((buffer.usage & usage.copySource) === 0) {
      throw new InvalidInputError("tensor", "a buffer with usage COPY_SRC", "one without");
    }
    const size = bytesPerElement(dtype);
    const from = Math.floor((offset * size) / 4) * 4;
    const bytes = Math.ceil(((last + 1) * size - from) / 4) * 4;
    const staging = await memory.pool.acquire(bytes, stagingUsage);
    const copied = memory.faults.watch("reading a tensor", () => {
      const encoder = memory.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, from, staging.buffer, 0, bytes);
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
    this.storage.release();
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
