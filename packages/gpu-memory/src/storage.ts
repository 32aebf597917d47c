import {
  allocate,
  bytesPerElement,
  type CallTurn,
  cast,
  contiguous,
  type DeviceStorage,
  type DeviceTensor,
  type DType,
  deviceTensor,
  elementCount,
  type HostTensor,
  InvalidInputError,
  storageOf,
  type TensorLayout,
  type TypedArray,
  tensor,
} from "@heed/core";
import type { DeviceAccess } from "./access.js";
import { type GpuBuffer, type GpuDevice, stagingUsage, usage } from "./gpu.js";
import { readStaging } from "./staging.js";

/** A storage, as its maker describes it. */
export interface GpuStorageOptions<B extends GpuBuffer> {
  /** Name of the backend that the tensors belong to. */
  readonly backend: string;
  readonly buffer: B;
  /** The device that the buffer belongs to; left out where that is not known yet. */
  readonly access?: DeviceAccess<B> | undefined;
  /** Gives the buffer back; left out for a buffer that belongs to somebody else. */
  readonly free?: (() => void) | undefined;
  /** Rejects if the device refused the work that fills the buffer. */
  readonly filled?: Promise<void> | undefined;
  /** Type of the elements in the buffer, where it differs from the tensors' dtype. */
  readonly stored?: DType | undefined;
}

/**
 * A buffer under device tensors. float16 takes 2 bytes an element in it, bool one.
 *
 * Besides the tensors, runs and reads hold it until they have submitted their work, so that disposing a
 * tensor meanwhile does not let other work overwrite what they are about to read.
 */
export class GpuStorage<B extends GpuBuffer = GpuBuffer> implements DeviceStorage {
  readonly backend: string;
  readonly buffer: B;
  readonly stored: DType | undefined;
  readonly #free: () => void;
  readonly #filled: Promise<void> | undefined;
  #access: DeviceAccess<B> | null;
  #shown: boolean;
  /** The tensors together count as one. */
  #holders = 1;

  constructor(options: GpuStorageOptions<B>) {
    this.backend = options.backend;
    this.buffer = options.buffer;
    this.stored = options.stored;
    this.#access = options.access ?? null;
    this.#shown = options.free === undefined;
    this.#free = options.free ?? (() => {});
    this.#filled = options.filled;
  }

  /** The device that the buffer is known to belong to. */
  get device(): GpuDevice<B> | null {
    return this.#access?.device ?? null;
  }

  /** Sets the device of a wrapped buffer, which does not tell it, when a backend first uses it. */
  adopt(access: DeviceAccess<B>): void {
    this.#access ??= access;
  }

  /** Whether the application has the buffer, and may give commands on it to the queue at any time. */
  get shown(): boolean {
    return this.#shown;
  }

  /** The buffer for the application: what calls have recorded so far is submitted. */
  show(): B {
    this.#shown = true;
    this.#access?.commands.submit();
    return this.buffer;
  }

  /** Keeps the buffer until one more {@link release}. */
  hold(): void {
    this.#holders += 1;
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#free();
  }

  /**
   * Waits for everything submitted before, and copies the elements of a layout out.
   *
   * @throws InvalidInputError for a wrapped buffer that cannot be read, or whose device is unknown
   * @throws DeviceError
   */
  async read(layout: TensorLayout): Promise<HostTensor> {
    const access = this.#access;
    if (access === null) {
      throw new InvalidInputError(
        "tensor",
        "a buffer whose device is known: one that a run has used",
        "a wrapped buffer that no run has used",
      );
    }
    this.hold();
    // The read sees what earlier calls write to the tensor.
    const turn = access.order.take(false);
    try {
      return await this.#read(access, layout, turn);
    } finally {
      turn.end();
      this.release();
    }
  }

  async #read(access: DeviceAccess<B>, layout: TensorLayout, turn: CallTurn): Promise<HostTensor> {
    const { dtype, shape, strides, offset } = layout;
    const { commands, pool } = access;
    const { buffer, stored = dtype } = this;
    if (elementCount(shape) === 0) {
      await this.#filled;
      return tensor(allocate(dtype, 0), shape, { dtype });
    }
    if ((buffer.usage & usage.copySource) === 0) {
      throw new InvalidInputError("tensor", "a buffer with usage COPY_SRC", "one without");
    }
    const size = bytesPerElement(stored);
    const from = Math.floor((offset * size) / 4) * 4;
    const bytes = Math.ceil(((lastElement(layout) + 1) * size - from) / 4) * 4;
    const staging = await pool.acquire(bytes, stagingUsage);
    if (turn.ready) await turn.ready;
    const copied = commands.record("reading a tensor", (encoder) =>
      encoder.copyBufferToBuffer(buffer, from, staging.buffer, 0, bytes),
    );
    commands.submit();
    turn.end();
    const accepted = Promise.all([this.#filled, copied]).then(() => {});
    const data = await readStaging(access, staging, bytes, accepted);
    const view = tensor(viewAs(data, stored), shape, {
      dtype: stored,
      strides,
      offset: offset - from / size,
    });
    return cast(contiguous(view), dtype);
  }
}

/** A device tensor that shows its buffer, for applications that work with the buffer themselves. */
export type BufferTensor<B extends GpuBuffer = GpuBuffer> = DeviceTensor & { readonly buffer: B };

/** A tensor on a storage, which it owns: see `deviceTensor` of core. */
export function bufferTensor<B extends GpuBuffer>(
  storage: GpuStorage<B>,
  layout: TensorLayout,
): BufferTensor<B> {
  const made = deviceTensor(storage, layout);
  return Object.defineProperty(made, "buffer", { get: () => storage.show() }) as BufferTensor<B>;
}

/**
 * The buffer under a tensor or a view of one, with what calls have written so far given to the queue; null for a
 * tensor that is not in a GPUBuffer.
 */
export function bufferOf(t: DeviceTensor): GpuBuffer | null {
  return storageOf(t, GpuStorage)?.show() ?? null;
}

/** Index of the last element of a layout that is not empty, in elements of its memory. */
export function lastElement({ shape, strides, offset }: Omit<TensorLayout, "dtype">): number {
  return shape.reduce((at, size, axis) => at + (strides[axis] as number) * (size - 1), offset);
}

/** Bytes as elements of a dtype; float16 as `Float16Array` where the runtime has it. */
export function viewAs(data: ArrayBuffer, dtype: DType): TypedArray {
  const Elements = allocate(dtype, 0).constructor as new (
    buffer: ArrayBuffer,
    byteOffset: number,
    length: number,
  ) => TypedArray;
  return new Elements(data, 0, Math.floor(data.byteLength / bytesPerElement(dtype)));
}
