import {
  bytesPerElement,
  CallOrder,
  type DeviceMemory,
  type DeviceTensor,
  DisposedError,
  type DType,
  elementCount,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  rowMajorStrides,
  storageOf,
  type Tensor,
  type TensorLayout,
} from "@heed/core";
import type { DeviceAccess } from "./access.js";
import { Commands } from "./commands.js";
import { Faults } from "./faults.js";
import { type GpuBuffer, type GpuDevice, tensorUsage } from "./gpu.js";
import { BufferPool, type PooledBuffer } from "./pool.js";
import { type StagedTensor, stageTensor } from "./stage.js";
import { type BufferTensor, bufferTensor, GpuStorage } from "./storage.js";
import { writeBytes } from "./write.js";

/** A tensor in the device's memory: where it is and how it lies there. */
export interface Placed<B extends GpuBuffer = GpuBuffer> {
  readonly layout: TensorLayout;
  readonly storage: GpuStorage<B>;
}

/** The elements of tensors as a backend's kernels take them, where that is not as they are. */
export interface StoredForm {
  /** Type of the elements in buffers, for tensors of a dtype. */
  dtype(dtype: DType): DType;
  /** A host tensor with its elements as they are stored, of that type. */
  convert(t: HostTensor): HostTensor;
}

/** @see GpuMemory */
export interface GpuMemoryOptions {
  /** Called once, when the memory is disposed and no tensor of it is left. */
  readonly unused?: (() => void) | undefined;
  /** Left out: elements are stored as they are. */
  readonly stored?: StoredForm | undefined;
  /** Whether the backend's calls record into {@link Commands}; left out, everything is submitted at once. */
  readonly records?: boolean | undefined;
}

/** One backend's tensors on one device. */
export class GpuMemory<B extends GpuBuffer = GpuBuffer> implements DeviceMemory, DeviceAccess<B> {
  /** Name of the backend, in errors and on tensors. */
  readonly backend: string;
  readonly device: GpuDevice<B>;
  readonly faults: Faults;
  readonly commands: Commands<B>;
  readonly pool: BufferPool<B>;
  readonly order: CallOrder = new CallOrder();
  readonly #unused: () => void;
  readonly #stored: StoredForm | undefined;
  readonly #records: boolean;
  /** Number of tensors handed out whose buffers have not come back. */
  #tensors = 0;
  #disposed = false;

  constructor(
    backend: string,
    device: GpuDevice<B>,
    { unused = () => {}, stored, records = false }: GpuMemoryOptions = {},
  ) {
    this.backend = backend;
    this.device = device;
    this.faults = Faults.of(device, backend);
    this.commands = Commands.of<B, GpuDevice<B>>(device, backend);
    this.pool = new BufferPool<B>(device, backend, this.faults);
    this.#unused = unused;
    this.#stored = stored;
    this.#records = records;
  }

  /**
   * Copies a tensor to the device.
   *
   * @throws InvalidInputError for float64, which WebGPU does not have
   * @throws OutOfMemoryError, DeviceLostError
   */
  async upload(t: HostTensor): Promise<BufferTensor<B>> {
    checkDType("tensor", t.dtype);
    const staged = stageTensor("tensor", this.#stored ? this.#stored.convert(t) : t);
    const layout = { ...staged.layout, dtype: t.dtype };
    return this.handOut(layout, await this.uploadStaged(staged));
  }

  /** A row-major tensor of zeros. @throws InvalidInputError, OutOfMemoryError, DeviceLostError */
  allocate(dtype: DType, shape: readonly number[]): BufferTensor<B> {
    checkDType("dtype", dtype);
    const bytes = elementCount(shape) * bytesPerElement(this.#storedDType(dtype));
    const { pooled, fresh, accepted } = this.pool.acquireNow(bytes, tensorUsage);
    const filled = fresh ? accepted : this.#clear(pooled);
    const layout = { dtype, shape, strides: rowMajorStrides(shape), offset: 0 };
    return this.handOut(layout, pooled, filled);
  }

  /**
   * A tensor on a buffer of the pool. It belongs to the caller from now on, and gives the buffer back
   * when it and its views are disposed.
   *
   * @param layout strides and offset in elements as they are stored
   * @param filled rejects if the device refuses the work that fills the buffer
   */
  handOut(layout: TensorLayout, pooled: PooledBuffer<B>, filled?: Promise<void>): BufferTensor<B> {
    this.#tensors += 1;
    const free = (): void => {
      this.pool.release(pooled);
      this.#tensors -= 1;
      this.#checkUnused();
    };
    const { backend } = this;
    const { buffer } = pooled;
    const stored = this.#storedDType(layout.dtype);
    const storage = new GpuStorage({ backend, buffer, access: this, free, filled, stored });
    return bufferTensor(storage, layout);
  }

  /**
   * A device tensor as this memory's backend can use it.
   *
   * @param argument name of the tensor in errors
   * @throws InvalidInputError for a tensor of another backend or another device
   * @throws DisposedError
   */
  place(argument: string, t: Tensor): Placed<B> {
    const storage = isDeviceTensor(t) ? (storageOf(t, GpuStorage) as GpuStorage<B> | null) : null;
    if (storage === null || storage.backend !== this.backend) {
      const what = isDeviceTensor(t) ? `a tensor of backend ${t.backend}` : "a host tensor";
      throw new InvalidInputError(argument, "a tensor in this backend's memory", what);
    }
    const { dtype, shape, strides, offset, disposed } = t as DeviceTensor & TensorLayout;
    if (disposed) throw new DisposedError(argument);
    storage.adopt(this);
    if (storage.device !== this.device) {
      const wanted = "a tensor of this backend's device";
      throw new InvalidInputError(argument, wanted, "one of another device");
    }
    return { layout: { dtype, shape, strides, offset }, storage };
  }

  /**
   * Copies a staged tensor into a buffer of the pool.
   *
   * @throws InvalidInputError if the caller's memory was detached or has shrunk since it was staged
   * @throws OutOfMemoryError, DeviceLostError
   */
  async uploadStaged({ argument, bytes, byteLength }: StagedTensor): Promise<PooledBuffer<B>> {
    const pooled = await this.pool.acquire(byteLength, tensorUsage, "queue");
    try {
      this.faults.checkPresent();
      // A view of memory that no longer reaches to its end has length 0.
      if (bytes.length !== byteLength) {
        throw new InvalidInputError(
          argument,
          "memory that stays attached, and as large, until the call has settled",
          `${bytes.length} bytes of ${byteLength}`,
        );
      }
      writeBytes(this.device, pooled.buffer, bytes);
      return pooled;
    } catch (error) {
      this.pool.release(pooled);
      throw error;
    }
  }

  /** Releases everything but tensors handed out. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.pool.dispose();
    this.#checkUnused();
  }

  #storedDType(dtype: DType): DType {
    return this.#stored?.dtype(dtype) ?? dtype;
  }

  #clear(pooled: PooledBuffer<B>): Promise<void> {
    const cleared = this.commands.record("clearing a tensor", (encoder) =>
      encoder.clearBuffer(pooled.buffer),
    );
    if (!this.#records) this.commands.submit();
    return cleared;
  }

  #checkUnused(): void {
    if (!this.#disposed || this.#tensors > 0) return;
    this.commands.submit();
    this.#unused();
  }
}

function checkDType(argument: string, dtype: DType): void {
  if (dtype === "float64") {
    throw new InvalidInputError(argument, "a dtype that WebGPU has, such as float32", dtype);
  }
}
