import { type DeviceTensor, isDeviceTensor, type Tensor } from "@heed/core";
import {
  type GpuMemory,
  type GpuStorage,
  type Placed,
  type PooledBuffer,
  type StagedTensor,
  stageTensor,
  tensorUsage,
} from "@heed/gpu-memory";
import type { Buffers } from "./recorder.js";
import type { Layouts } from "./steps.js";

/**
 * The memory that one run uses, from the call until its commands are recorded. The caller's tensors are
 * looked at once, in the constructor: those disposed afterwards stay alive for the run.
 */
export class RunMemory {
  /** Whether any input is on the device. */
  readonly onDevice: boolean;
  readonly layouts: Layouts;
  readonly #memory: GpuMemory<GPUBuffer>;
  readonly #inputs = new Map<string, Placed<GPUBuffer> | StagedTensor>();
  readonly #held: GpuStorage<GPUBuffer>[] = [];
  readonly #pooled: PooledBuffer<GPUBuffer>[] = [];
  readonly #buffers = new Map<string, { buffer: GPUBuffer; start: number }>();

  /**
   * @param names of the inputs, in their order
   * @throws InvalidInputError, DisposedError naming the input
   */
  constructor(memory: GpuMemory<GPUBuffer>, names: readonly string[], inputs: readonly Tensor[]) {
    this.#memory = memory;
    try {
      for (const [i, t] of inputs.entries()) {
        const name = names[i] as string;
        this.#inputs.set(name, isDeviceTensor(t) ? this.#hold(name, t) : stageTensor(name, t));
      }
    } catch (error) {
      this.release();
      throw error;
    }
    this.onDevice = this.#held.length > 0;
    this.layouts = new Map([...this.#inputs].map(([name, { layout }]) => [name, layout]));
  }

  /** Whether the application has any of the buffers: it may give commands on them to the queue at any time. */
  get shown(): boolean {
    return this.#held.some((storage) => storage.shown);
  }

  /** Buffers of the run by what they hold. */
  get buffers(): Buffers {
    return this.#buffers;
  }

  /** Copies every input that is in host memory to the device. @throws InvalidInputError, DeviceError */
  async uploadInputs(): Promise<void> {
    for (const [name, input] of this.#inputs) {
      if ("bytes" in input) {
        const pooled = await this.#memory.uploadStaged(input);
        this.#pooled.push(pooled);
        this.#buffers.set(name, { buffer: pooled.buffer, start: 0 });
      } else {
        this.#buffers.set(name, { buffer: input.storage.buffer, start: 0 });
      }
    }
  }

  /** A buffer for something that is computed, with anything in it. @throws DeviceError */
  async allocate(name: string, bytes: number): Promise<PooledBuffer<GPUBuffer>> {
    const pooled = await this.#memory.pool.acquire(bytes, tensorUsage);
    this.#pooled.push(pooled);
    this.#buffers.set(name, { buffer: pooled.buffer, start: 0 });
    return pooled;
  }

  /** A buffer that is not the run's own. */
  add(name: string, buffer: GPUBuffer): void {
    this.#buffers.set(name, { buffer, start: 0 });
  }

  /** Leaves a buffer to the caller: {@link release} does not give it back. */
  keep(pooled: PooledBuffer<GPUBuffer>): void {
    this.#pooled.splice(this.#pooled.indexOf(pooled), 1);
  }

  /**
   * Lets go of everything. The device executes commands in order, so buffers can be given back once the run's
   * are recorded: whoever gets them next writes to them later.
   */
  release(): void {
    for (const storage of this.#held.splice(0)) storage.release();
    for (const pooled of this.#pooled.splice(0)) this.#memory.pool.release(pooled);
  }

  #hold(name: string, t: DeviceTensor): Placed<GPUBuffer> {
    const placed = this.#memory.place(name, t);
    placed.storage.hold();
    this.#held.push(placed.storage);
    return placed;
  }
}
