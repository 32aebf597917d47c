/**
 * A buffer that several holders share: the tensor that shows it, and runs that still have to submit
 * work with it. It is given back when the last of them lets go, so that disposing a tensor during a
 * run does not let other work overwrite what the run is about to read.
 */
export class GpuStorage {
  readonly buffer: GPUBuffer;
  #holders = 1;
  readonly #free: () => void;

  /** @param free gives the buffer back; does nothing for a buffer that belongs to somebody else */
  constructor(buffer: GPUBuffer, free: () => void) {
    this.buffer = buffer;
    this.#free = free;
  }

  /** Keeps the buffer until one more {@link release}. */
  hold(): void {
    this.#holders += 1;
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#free();
  }
}
