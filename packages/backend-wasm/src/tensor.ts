import {
  allocate,
  bytesPerElement,
  type DeviceTensor,
  DisposedError,
  type DType,
  elementCount,
  type HostTensor,
  rowMajorStrides,
  tensor,
} from "@heed/core";
import type { WasmMemory } from "./memory.js";
import { copyIn, type Placement } from "./placement.js";

/** A tensor in wasm memory. */
export class WasmTensor implements DeviceTensor {
  readonly backend = "wasm";
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly #memory: WasmMemory;
  readonly #placement: Placement;
  #disposed = false;

  /** @param placement belongs to the tensor from here on */
  constructor(memory: WasmMemory, dtype: DType, shape: readonly number[], placement: Placement) {
    this.#memory = memory;
    this.dtype = dtype;
    this.shape = Object.freeze([...shape]);
    this.#placement = placement;
  }

  /** @throws WasmOutOfMemoryError */
  static upload(memory: WasmMemory, t: HostTensor): WasmTensor {
    return new WasmTensor(memory, t.dtype, t.shape, copyIn(memory, t));
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Whether it lives in this memory. */
  isIn(memory: WasmMemory): boolean {
    return this.#memory === memory;
  }

  /** Where its elements are. */
  get placement(): Placement {
    return this.#placement;
  }

  async read(): Promise<HostTensor> {
    if (this.#disposed) throw new DisposedError("tensor");
    return copyOut(this.#memory, this.dtype, this.shape, this.#placement);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#memory.free(this.#placement.address);
  }
}

/** A row-major host tensor of what is in wasm memory. */
export function copyOut(
  memory: WasmMemory,
  dtype: DType,
  shape: readonly number[],
  { address, strides }: Placement,
): HostTensor {
  const count = elementCount(shape);
  const data = allocate(dtype, count);
  const to = new Uint8Array(data.buffer);
  const size = bytesPerElement(dtype);
  const rowMajor = rowMajorStrides(shape);
  if (shape.every((n, axis) => n <= 1 || strides[axis] === rowMajor[axis])) {
    to.set(memory.bytes(address, count * size));
  } else if (count > 0) {
    const view = memory.bytes(address, (1 + lastElement(shape, strides)) * size);
    let at = 0;
    const walk = (axis: number, start: number): void => {
      if (axis === shape.length) {
        for (let byte = 0; byte < size; byte++) to[at++] = view[start * size + byte] as number;
        return;
      }
      for (let i = 0; i < (shape[axis] as number); i++) {
        walk(axis + 1, start + i * (strides[axis] as number));
      }
    };
    walk(0, 0);
  }
  return tensor(data, shape, { dtype });
}

function lastElement(shape: readonly number[], strides: readonly number[]): number {
  return shape.reduce((sum, n, axis) => sum + (n - 1) * (strides[axis] as number), 0);
}
