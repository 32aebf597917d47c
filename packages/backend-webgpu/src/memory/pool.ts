import { OutOfMemoryError } from "@heed/core";
import { backendName, type Faults } from "../faults.js";

/** Bytes that may lie idle; the least recently used buffers go first. */
export const mostIdleBytes: number = 256 * 2 ** 20;

/** A buffer that belongs to whoever acquired it, until it is released. */
export interface PooledBuffer {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  readonly usage: number;
}

/**
 * Buffers that are used again. Releasing one while the device still works with it is fine: work is
 * done in the order in which it was submitted.
 */
export class BufferPool {
  readonly #device: GPUDevice;
  readonly #faults: Faults;
  readonly #limit: number;
  /** In order of release. */
  #idle: PooledBuffer[] = [];
  #idleBytes = 0;
  #heldBytes = 0;
  #disposed = false;

  constructor(device: GPUDevice, faults: Faults, limit: number = mostIdleBytes) {
    this.#device = device;
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
  async acquire(bytes: number, usage: number): Promise<PooledBuffer> {
    this.#faults.checkPresent();
    const size = sizeClass(bytes, this.#device.limits.maxBufferSize);
    // The most recently released first: it is the likeliest to be in a cache.
    const fits = (idle: PooledBuffer): boolean => idle.bytes === size && idle.usage === usage;
    let at = this.#idle.length - 1;
    while (at >= 0 && !fits(this.#idle[at] as PooledBuffer)) at--;
    if (at >= 0) {
      const [found] = this.#idle.splice(at, 1) as [PooledBuffer];
      this.#idleBytes -= size;
      this.#heldBytes += size;
      return found;
    }
    if (bytes > this.#device.limits.maxBufferSize) {
      throw new OutOfMemoryError(
        backendName,
        `a buffer of ${bytes} bytes is more than the device's maxBufferSize of ${this.#device.limits.maxBufferSize}`,
      );
    }
    const made = this.#faults.watch(`a buffer of ${size} bytes`, () =>
      this.#device.createBuffer({ size, usage }),
    );
    await made.accepted;
    this.#heldBytes += size;
    return { buffer: made.result, bytes: size, usage };
  }

  release(pooled: PooledBuffer): void {
    this.#heldBytes -= pooled.bytes;
    if (this.#disposed) {
      pooled.buffer.destroy();
      return;
    }
    this.#idle.push(pooled);
    this.#idleBytes += pooled.bytes;
    while (this.#idleBytes > this.#limit) {
      const oldest = this.#idle.shift() as PooledBuffer;
      this.#idleBytes -= oldest.bytes;
      oldest.buffer.destroy();
    }
  }

  /** For a buffer that was destroyed instead of released. */
  forget(pooled: PooledBuffer): void {
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
 * Sizes that buffers have: powers of two and three steps between, so that lengths that grow by one
 * meet the buffers of the last call, for at most a quarter more memory.
 */
function sizeClass(bytes: number, most: number): number {
  const size = Math.max(256, bytes);
  const step = 2 ** (Math.ceil(Math.log2(size)) - 3);
  return Math.min(Math.ceil(size / step) * step, Math.max(most, bytes));
}
