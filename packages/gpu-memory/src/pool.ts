import { OutOfMemoryError } from "@heed/core";
import { Commands } from "./commands.js";
import type { Faults } from "./faults.js";
import type { GpuBuffer, GpuDevice } from "./gpu.js";

/** Bytes that a pool keeps idle by default; the least recently used buffers are destroyed first. */
export const mostIdleBytes: number = 256 * 2 ** 20;

/**
 * Buffers of a size, and their bytes, that the queue passes over because commands that wait use them; with more
 * of them, the commands are submitted and a buffer is used again.
 */
export const mostPassedOver = 256;
const mostPassedOverBytes = 2 ** 20;

/**
 * Bytes of a buffer that nobody waits for: a device that has no memory for so few refuses the commands that use it,
 * and a call that waited would divide the commands of its turn.
 */
const mostUnawaited = 2 ** 16;

/** A buffer that belongs to whoever acquired it, until it is released. Its size is a multiple of 4. */
export interface PooledBuffer<B extends GpuBuffer = GpuBuffer> {
  readonly buffer: B;
  readonly bytes: number;
  readonly usage: number;
}

/**
 * Who fills a buffer: commands that are recorded from now on, or the queue at once, before commands that wait
 * for their submission.
 */
export type FilledBy = "commands" | "queue";

/** A buffer that waits for its next use. */
interface Idle<B extends GpuBuffer> {
  readonly pooled: PooledBuffer<B>;
  /** Number of the submission that may still use it; null if there is none. */
  readonly submission: number | null;
}

/**
 * Buffers that are used again. A buffer may be released while the device still works with it, since
 * submissions are executed in order, and while commands that use it wait to be submitted: until then it is
 * given to other commands alone.
 */
export class BufferPool<B extends GpuBuffer = GpuBuffer> {
  readonly #device: GpuDevice<B>;
  readonly #backend: string;
  readonly #faults: Faults;
  readonly #commands: Commands<B>;
  readonly #limit: number;
  /** In order of release. */
  #idle: Idle<B>[] = [];
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
    this.#commands = Commands.of<B, GpuDevice<B>>(device, backend);
    this.#limit = limit;
  }

  /** Bytes of all buffers that exist, in use or idle. */
  get bytes(): number {
    return this.#heldBytes + this.#idleBytes;
  }

  /**
   * A buffer of at least so many bytes, with anything in it.
   *
   * @param filledBy whether the queue writes to it before commands that wait
   * @throws OutOfMemoryError, DeviceLostError
   */
  async acquire(
    bytes: number,
    usage: number,
    filledBy: FilledBy = "commands",
  ): Promise<PooledBuffer<B>> {
    const { pooled, accepted } = this.acquireNow(bytes, usage, filledBy);
    if (pooled.bytes <= mostUnawaited) return pooled;
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
    filledBy: FilledBy = "commands",
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
    const idle = this.#takeIdle(size, usage, filledBy);
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
  #takeIdle(size: number, usage: number, filledBy: FilledBy): PooledBuffer<B> | null {
    const { waiting } = this.#commands;
    let passedOver = 0;
    for (let at = this.#idle.length - 1; at >= 0; at--) {
      const { pooled: idle, submission } = this.#idle[at] as Idle<B>;
      if (idle.bytes !== size || idle.usage !== usage) continue;
      if (filledBy === "queue" && waiting !== null && submission === waiting) {
        passedOver += 1;
        const more = passedOver >= mostPassedOver || passedOver * size >= mostPassedOverBytes;
        if (!more) continue;
        this.#commands.submit();
      }
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
      this.#destroy(pooled);
      return;
    }
    this.#idle.push({ pooled, submission: this.#commands.waiting });
    this.#idleBytes += pooled.bytes;
    while (this.#idleBytes > this.#limit) {
      const { pooled: oldest } = this.#idle.shift() as Idle<B>;
      this.#idleBytes -= oldest.bytes;
      this.#destroy(oldest);
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
    this.trim();
  }

  /** Destroys idle buffers: those that are acquired next are new, with zeros in them. */
  trim(): void {
    for (const { pooled } of this.#idle) this.#destroy(pooled);
    this.#idle = [];
    this.#idleBytes = 0;
  }

  /** Commands that use it are submitted before. */
  #destroy({ buffer }: PooledBuffer<B>): void {
    this.#commands.submit();
    buffer.destroy();
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
