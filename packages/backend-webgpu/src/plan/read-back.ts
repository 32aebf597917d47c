import {
  bytesPerElement,
  elementCount,
  type HostTensor,
  type TypedArray,
  tensor,
} from "@heed/core";
import type { PooledBuffer } from "../memory/pool.js";
import { type DeviceMemory, readStaging, viewAs } from "../memory/tensor.js";
import { stagingUsage } from "../memory/usage.js";
import type { OutputName, OutputSpec } from "./outputs.js";

/** The outputs of one run on their way to host memory, through one staging buffer. */
export class ReadBack {
  readonly #memory: DeviceMemory;
  readonly #copies: { readonly spec: OutputSpec; readonly at: number; readonly bytes: number }[];
  readonly #bytes: number;
  #staging: PooledBuffer | null = null;

  constructor(memory: DeviceMemory, outputs: readonly OutputSpec[]) {
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
  record(encoder: GPUCommandEncoder, buffers: ReadonlyMap<OutputName, PooledBuffer>): void {
    const { buffer: staging } = this.#staging as PooledBuffer;
    for (const { spec, at, bytes } of this.#copies) {
      const { buffer } = buffers.get(spec.name) as PooledBuffer;
      if (bytes > 0) encoder.copyBufferToBuffer(buffer, 0, staging, at, bytes);
    }
  }

  /** Waits for the copies. @param accepted of the submission that copies */
  async finish(accepted: Promise<void>): Promise<Record<OutputName, HostTensor>> {
    const staging = this.#staging as PooledBuffer;
    this.#staging = null;
    const data = await readStaging(this.#memory, staging, this.#bytes, accepted);
    return Object.fromEntries(
      this.#copies.map(({ spec: { name, dtype, shape }, at }) => {
        // Each output gets memory of its own, so that they can be transferred and freed one by one.
        const bytes = data.slice(at, at + elementCount(shape) * bytesPerElement(dtype));
        const elements: TypedArray = viewAs(bytes, dtype);
        return [name, tensor(elements, shape, { dtype })];
      }),
    ) as Record<OutputName, HostTensor>;
  }

  /** Gives the staging buffer back where {@link finish} was not reached. */
  release(): void {
    if (this.#staging) this.#memory.pool.release(this.#staging);
    this.#staging = null;
  }
}
