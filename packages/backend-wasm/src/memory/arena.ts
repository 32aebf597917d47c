import {
  bytesPerElement,
  DisposedError,
  type DType,
  elementCount,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  type OperandSpec,
  rowMajorStrides,
  storageOf,
  type Tensor,
} from "@heed/core";
import type { WasmMemory } from "./memory.js";
import { copyEntries, copyIn, gather, type Placement } from "./placement.js";
import { copyOut, placementOf, tensorAt, WasmStorage } from "./tensor.js";

/** A tensor of a call in wasm memory. */
export interface PlacedTensor extends Placement {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

interface PlacedOutput extends PlacedTensor {
  readonly name: string;
}

/**
 * The memory of one call: its inputs, where they are not in wasm memory already, its outputs and whatever it
 * needs meanwhile. `release` has to be called when the call is over, whatever became of it.
 */
export class Arena {
  readonly #memory: WasmMemory;
  /** Addresses that are freed with the call. */
  readonly #transient: number[] = [];
  readonly #outputs: PlacedOutput[] = [];
  /** Whether outputs stay in wasm memory: if any input is there. */
  #resident = false;

  constructor(memory: WasmMemory) {
    this.#memory = memory;
  }

  /**
   * Allocates memory for the time of the call.
   *
   * @throws WasmOutOfMemoryError
   */
  allocate(bytes: number): number {
    const address = this.#memory.allocate(bytes);
    this.#transient.push(address);
    return address;
  }

  /**
   * Places an input: host tensors are copied, and so are views of device tensors whose rows are no
   * neighbouring elements. Strides of axes of size 1 are 0, so that such axes repeat.
   *
   * @throws WasmOutOfMemoryError, InvalidInputError for a device tensor of another backend, DisposedError
   *   for one that was disposed
   */
  place(argument: string, t: Tensor): PlacedTensor {
    const { dtype, shape } = t;
    let placement: Placement;
    if (isDeviceTensor(t)) {
      this.#resident = true;
      placement = placementOf(this.#storage(argument, t), t);
      const last = shape.length - 1;
      if ((shape[last] as number) > 1 && placement.strides[last] !== 1) {
        placement = gather(this.#memory, dtype, shape, placement);
        this.#transient.push(placement.address);
      }
    } else {
      placement = copyIn(this.#memory, t);
      this.#transient.push(placement.address);
    }
    const { address, strides } = placement;
    return { address, strides: repeated(shape, strides), shape, dtype };
  }

  /**
   * Copies some entries of a host tensor's first axis, one after another.
   *
   * @throws WasmOutOfMemoryError
   */
  placeEntries(t: HostTensor, entries: readonly number[]): PlacedTensor {
    const { address, strides } = copyEntries(this.#memory, t, entries);
    this.#transient.push(address);
    return { address, strides, shape: [entries.length, ...t.shape.slice(1)], dtype: t.dtype };
  }

  /**
   * Places a tensor whose last axis may have any stride, such as a mask or a bias: only host tensors are copied.
   *
   * @throws as `place`
   */
  placeBroadcast(argument: string, t: Tensor): PlacedTensor {
    if (!isDeviceTensor(t)) return this.place(argument, t);
    this.#resident = true;
    const { address, strides } = placementOf(this.#storage(argument, t), t);
    const { dtype, shape } = t;
    return { address, strides: repeated(shape, strides), shape, dtype };
  }

  /**
   * Copies a few numbers in: int32, or float64 as float32. Of null, the address is 0.
   *
   * @throws WasmOutOfMemoryError
   */
  placeNumbers(values: Int32Array | Float64Array | null): number {
    if (values === null) return 0;
    const address = this.allocate(4 * values.length);
    const View = values instanceof Int32Array ? Int32Array : Float32Array;
    new View(this.#memory.memory.buffer, address, values.length).set(values);
    return address;
  }

  /**
   * Allocates an output, whose elements a kernel has to write.
   *
   * @returns its address
   * @throws WasmOutOfMemoryError
   */
  allocateOutput({ name, dtype, shape }: OperandSpec): number {
    const address = this.#memory.allocate(elementCount(shape) * bytesPerElement(dtype));
    this.#outputs.push({ name, address, strides: rowMajorStrides(shape), shape, dtype });
    return address;
  }

  /** The outputs by name, once they are written: they belong to the caller. */
  takeOutputs(): Readonly<Record<string, Tensor>> {
    const taken: Record<string, Tensor> = {};
    const outputs = this.#outputs;
    if (!this.#resident) {
      for (const output of outputs) {
        taken[output.name] = copyOut(this.#memory, output.dtype, output.shape, output);
      }
      return taken;
    }
    for (let output = outputs[0]; output !== undefined; output = outputs[0]) {
      taken[output.name] = tensorAt(this.#memory, output.dtype, output.shape, output);
      outputs.shift();
    }
    return taken;
  }

  /** Frees everything but outputs that were taken and stay in wasm memory. */
  release(): void {
    const transient = this.#transient;
    for (let at = transient.pop(); at !== undefined; at = transient.pop()) this.#memory.free(at);
    for (const { address } of this.#outputs) this.#memory.free(address);
    this.#outputs.length = 0;
  }

  #storage(argument: string, t: Tensor & { readonly backend: string }): WasmStorage {
    const storage = isDeviceTensor(t) ? storageOf(t, WasmStorage) : null;
    if (storage === null || storage.memory !== this.#memory) {
      throw new InvalidInputError(
        argument,
        "a tensor of this backend",
        t.backend === "wasm" ? "one of another wasm backend" : `a tensor of backend ${t.backend}`,
      );
    }
    if (isDeviceTensor(t) && t.disposed) throw new DisposedError(argument);
    return storage;
  }
}

/** Strides with which axes of size 1 repeat: 0 in place of theirs. */
function repeated(shape: readonly number[], strides: readonly number[]): readonly number[] {
  const steps = new Array<number>(shape.length);
  for (let axis = 0; axis < shape.length; axis++) {
    steps[axis] = shape[axis] === 1 ? 0 : (strides[axis] as number);
  }
  return steps;
}
