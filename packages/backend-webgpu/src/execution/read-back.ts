import {
  bytesPerElement,
  elementCount,
  type HostTensor,
  type OperandSpec,
  type TypedArray,
  tensor,
} from "@heed/core";
import {
  type GpuMemory,
  type PooledBuffer,
  readStaging,
  stagingUsage,
  viewAs,
} from "@heed/gpu-memory";

/** The outputs of one run on their way to host memory, through one staging buffer. */
export class ReadBack {
  readonly #memory: GpuMemory<GPUBuffer>;
  readonly #copies: { readonly spec: OperandSpec; readonly at: number; readonly bytes: number }[];
  readonly #bytes: number;
  #staging: PooledBuffer<GPUBuffer> | null = null;

  constructor(memory: GpuMemory<GPUBuffer>, outputs: readonly OperandSpec[]) {
    this.#memory = memory;
    let at = 0;
    this.#copies = outputs.map((spec) => {
      // Every element type starts at a multiple of 8 bytes.
      const bytes = Math.ceil((elementCount(spec.shape) * bytesPerElement(spec.dtype)) / 8) * 8;
      const copy = { spec, at, bytes };
      at += bytes;
      return copy;
    });
    this.#bytes = at;
  }

  /** Acquires the staging buffer. @throws OutOfMemoryError, DeviceLostError */
  async allocate(): Promise<void> {
    this.#staging = await this.#memory.pool.acquire(this.#bytes, stagingUsage);
  }

  /** Records the copies from the outputs' buffers. */
  record(encoder: GPUCommandEncoder, buffers: ReadonlyMap<string, PooledBuffer<GPUBuffer>>): void {
    const { buffer: staging } = this.#staging as PooledBuffer<GPUBuffer>;
    for (const { spec, at, bytes } of this.#copies) {
      const { buffer } = buffers.get(spec.name) as PooledBuffer<GPUBuffer>;
      if (bytes > 0) encoder.copyBufferToBuffer(buffer, 0, staging, at, bytes);
    }
  }

  /** Waits for the copies. @param accepted of the submission that copies */
  async finish(accepted: Promise<void>): Promise<Record<string, HostTensor>> {
    const staging = this.#staging as PooledBuffer<GPUBuffer>;
    this.#staging = null;
    const data = await readStaging(this.#memory, staging, this.#bytes, accepted);
    return Object.fromEntries(
      this.#copies.map(({ spec: { name, dtype, shape }, at }) => {
        // Each output gets memory of its own, so that they can be transferred and freed one by one.
        const bytes = data.slice(at, at + elementCount(shape) * bytesPerElement(dtype));
        const elements: TypedArray = viewAs(bytes, dtype);
        return [name, tensor(elements, shape, { dtype })];
      }),
    );
  }

  /** Gives the staging buffer back where {@link finish} was not reached. */
  release(): void {
    if (this.#staging) this.#memory.pool.release(this.#staging);
    this.#staging = null;
  }
}
