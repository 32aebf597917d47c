import { OutOfMemoryError } from "@heed/core";
import type { Faults } from "./faults.js";
import type { GpuBuffer, GpuDevice } from "./gpu.js";

/** Bytes that a pool keeps idle by default; the least recently used buffers are destroyed first. */
export const mostIdleBytes: number = 256 * 2 ** 20;

/** A buffer that belongs to whoever acquired it, until it is released. Its size is a multiple of 4. */
export interface PooledBuffer<B extends GpuBuffer = GpuBuffer> {
  readonly buffer: B;
  readonly bytes: number;
  readonly usage: number;
}

/**
 * Buffers that are used again. A buffer may be released while the device still works with it, since
 * submissions are executed in order.
 */
export class BufferPool<B extends GpuBuffer = GpuBuffer> {
  readonly #device: GpuDevice<B>;
  readonly #backend: string;
  readonly #faults: Faults;
  readonly #limit: number;
  /** In order of release. */
  #idle: PooledBuffer<B>[] = [];
  #idleBytes = 0;
  #heldBytes = 0;
  #disposed = false;

  /**
   * @param backend name of the backend in errors
   * @param limit bytes that may lie idle
   */
  constructor(
    device: GpuDevice<B>,
    backend: string,
    faults: Faults,
    limit: number = mostIdleBytes,
  ) {
    this.#device = device;
    this.#backend = backend;
    this.#faults = faults;
    this.#limit = limit;
  }

  /** Bytes of all buffers that exist, in use or idle. */
  get bytes(): number {
    return this.#heldBytes + this.#idleBytes;
  }

  /**
   * A buffer of at least so many bytes, with anything in it.
   *
   * @throws OutOfMemoryError, DeviceLostError
   */
  async acquire(bytes: number, usage: number): Promise<PooledBuffer<B>> {
    const { pooled, accepted } = this.acquireNow(bytes, usage);
    try {
      await accepted;
    } catch (error) {
      this.forget(pooled);
      throw error;
    }
    return pooled;
  }

  /**
   * The same without waiting for the device.
   *
   * @returns the buffer; whether it is new, and so has zeros in it; and a promise that rejects if there
   *   is no memory for it
   * @throws OutOfMemoryError for more bytes than any buffer of the device has; DeviceLostError
   */
  acquireNow(
    bytes: number,
    usage: number,
  ): {
    readonly pooled: PooledBuffer<B>;
    readonly fresh: boolean;
    readonly accepted?: Promise<void>;
  } {
    this.#faults.checkPresent();
    const { maxBufferSize, maxStorageBufferBindingSize = maxBufferSize } = this.#device.limits;
    // A size that fits into one binding is not rounded up beyond it: a buffer may be bound as a whole.
    const most = bytes > maxStorageBufferBindingSize ? maxBufferSize : maxStorageBufferBindingSize;
    const size = sizeClass(bytes, most);
    const idle = this.#takeIdle(size, usage);
    if (idle) return { pooled: idle, fresh: false };
    if (bytes > maxBufferSize) {
      throw new OutOfMemoryError(
        this.#backend,
        `a buffer of ${bytes} bytes is more than the device's maxBufferSize of ${maxBufferSize}`,
      );
    }
    const { result, accepted } = this.#faults.watch(`a buffer of ${size} bytes`, () =>
      this.#device.createBuffer({ size, usage }),
    );
    this.#heldBytes += size;
    return { pooled: { buffer: result, bytes: size, usage }, fresh: true, accepted };
  }

  /** The most recently released buffer first: it is the likeliest to be in a cache. */
  #takeIdle(size: number, usage: number): PooledBuffer<B> | null {
    for (let at = this.#idle.length - 1; at >= 0; at--) {
      const idle = this.#idle[at] as PooledBuffer<B>;
      if (idle.bytes !== size || idle.usage !== usage) continue;
      this.#idle.splice(at, 1);
      this.#idleBytes -= size;
      this.#heldBytes += size;
      return idle;
    }
    return null;
  }

  release(pooled: PooledBuffer<B>): void {
    this.#heldBytes -= pooled.bytes;
    if (this.#disposed) {
      pooled.buffer.destroy();
      return;
    }
    this.#idle.push(pooled);
    this.#idleBytes += pooled.bytes;
    while (this.#idleBytes > this.#limit) {
      const oldest = this.#idle.shift() as PooledBuffer<B>;
      this.#idleBytes -= oldest.bytes;
      oldest.buffer.destroy();
    }
  }

  /** For a buffer that was destroyed instead of released. */
  forget(pooled: PooledBuffer<B>): void {
    this.#heldBytes -= pooled.bytes;
  }

  /**
   * Destroys idle buffers now, and others when they are released: tensors that were handed out can
   * still be read.
   */
  dispose(): void {
    this.#disposed = true;
    for (const { buffer } of this.#idle) buffer.destroy();
    this.#idle = [];
    this.#idleBytes = 0;
  }
}

/**
 * The size of the buffer for so many bytes: an eighth of a power of two times 4 to 8, so that lengths
 * that grow by one reuse the buffers of the last call, for at most a quarter more memory.
 */
function sizeClass(bytes: number, most: number): number {
  const size = Math.max(256, bytes);
  const step = 2 ** (Math.ceil(Math.log2(size)) - 3);
  return Math.min(Math.ceil(size / step) * step, Math.max(most, bytes));
}
