import {
  type AttentionInputs,
  DisposedError,
  InvalidInputError,
  isDeviceTensor,
  type Tensor,
} from "@heed/core";
import type { PooledBuffer } from "../memory/pool.js";
import type { GpuStorage } from "../memory/storage.js";
import { type DeviceLayout, type DeviceMemory, WebGpuTensor } from "../memory/tensor.js";
import { type StagedTensor, stageTensor, uploadStaged } from "../memory/upload.js";
import { operandOf } from "../operands.js";
import type { Buffers } from "../recording.js";
import type { BufferName, Layouts } from "../schedule/steps.js";

export type InputName = "query" | "key" | "value" | "mask" | "bias";
export const inputNames: readonly InputName[] = ["query", "key", "value", "mask", "bias"];

/** A tensor in the device's memory. */
export interface Placed {
  readonly layout: DeviceLayout;
  readonly storage: GpuStorage;
}

/**
 * A device tensor as this backend can use it.
 *
 * @param name of the argument in errors
 * @throws InvalidInputError for a tensor of another backend or another device
 * @throws DisposedError
 */
export function ownTensor(memory: DeviceMemory, name: string, t: Tensor): Placed {
  if (!(t instanceof WebGpuTensor)) {
    const what = isDeviceTensor(t) ? `a tensor of backend ${t.backend}` : "a host tensor";
    throw new InvalidInputError(name, "a tensor in this backend's memory", what);
  }
  if (t.disposed) throw new DisposedError(name);
  t.adopt(memory);
  if (t.device !== memory.device) {
    throw new InvalidInputError(name, "a tensor of this backend's device", "one of another device");
  }
  return { layout: t, storage: t.storage };
}

export function layoutsOf(
  layouts: Readonly<Partial<Record<InputName, DeviceLayout | undefined>>>,
): Layouts {
  const operand = (name: InputName) => {
    const layout = layouts[name];
    return layout ? operandOf(layout) : null;
  };
  const [query, key, value, mask, bias] = inputNames.map(operand);
  return { query, key, value, mask, bias } as Layouts;
}

/**
 * The memory that one run uses, from the call until its commands are submitted. What the caller passes
 * is looked at once, in the constructor: tensors disposed afterwards stay alive for the run.
 */
export class RunMemory {
  /** Whether any input is on the device. */
  readonly onDevice: boolean;
  readonly layouts: Layouts;
  readonly #memory: DeviceMemory;
  readonly #inputs = new Map<InputName, Placed | StagedTensor>();
  readonly #held: GpuStorage[] = [];
  readonly #pooled: PooledBuffer[] = [];
  readonly #buffers = new Map<BufferName, { buffer: GPUBuffer; start: number }>();

  /** @throws InvalidInputError, DisposedError naming the input */
  constructor(memory: DeviceMemory, inputs: AttentionInputs) {
    this.#memory = memory;
    try {
      for (const name of inputNames) {
        const t = inputs[name];
        if (t === undefined) continue;
        if (isDeviceTensor(t)) {
          const placed = ownTensor(memory, name, t);
          placed.storage.hold();
          this.#held.push(placed.storage);
          this.#inputs.set(name, placed);
        } else {
          this.#inputs.set(name, stageTensor(name, t));
        }
      }
    } catch (error) {
      this.release();
      throw error;
    }
    this.onDevice = this.#held.length > 0;
    this.layouts = layoutsOf(
      Object.fromEntries([...this.#inputs].map(([name, { layout }]) => [name, layout])),
    );
  }

  /** Buffers of the run by what they hold. */
  get buffers(): Buffers {
    return this.#buffers;
  }

  /** Copies every input that is in host memory to the device. @throws InvalidInputError, DeviceError */
  async uploadInputs(): Promise<void> {
    for (const [name, input] of this.#inputs) {
      if ("bytes" in input) {
        const pooled = await uploadStaged(this.#memory, input);
        this.#pooled.push(pooled);
        this.#buffers.set(name, { buffer: pooled.buffer, start: 0 });
      } else {
        this.#buffers.set(name, { buffer: input.storage.buffer, start: 0 });
      }
    }
  }

  /** A buffer for something that is computed, with anything in it. @throws DeviceError */
  async allocate(name: BufferName, bytes: number, usage: number): Promise<PooledBuffer> {
    const pooled = await this.#memory.pool.acquire(bytes, usage);
    this.#pooled.push(pooled);
    this.#buffers.set(name, { buffer: pooled.buffer, start: 0 });
    return pooled;
  }

  /** Leaves a buffer to the caller: {@link release} does not give it back. */
  keep(pooled: PooledBuffer): void {
    this.#pooled.splice(this.#pooled.indexOf(pooled), 1);
  }

  /**
   * Lets go of everything. The device executes submissions in order, so buffers can be given back once
   * the run's commands are submitted: whoever gets them next writes to them later.
   */
  release(): void {
    for (const storage of this.#held.splice(0)) storage.release();
    for (const pooled of this.#pooled.splice(0)) this.#memory.pool.release(pooled);
  }
}
