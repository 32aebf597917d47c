import {
  bytesPerElement,
  type DeviceTensor,
  DisposedError,
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
import {
  copyEntries,
  copyIn,
  copyRows,
  gather,
  type PlacedTensor,
  type RowRange,
  repeated,
} from "./placement.js";
import { copyOut, placementOf, tensorAt, WasmStorage } from "./tensor.js";

const arenas = new WeakMap<WasmMemory, Arena>();

/**
 * The memory of one call after another: its inputs, where they are not in wasm memory already, its outputs and
 * whatever it needs meanwhile. `release` has to be called when a call is over, whatever became of it.
 *
 * A memory has one: calls compute at once, and a step of a decoder should leave little on JavaScript's heap.
 */
export class Arena {
  readonly #memory: WasmMemory;
  /** Addresses that are freed with the call, of which the first {@link #transients} are in use. */
  readonly #transient: number[] = [];
  #transients = 0;
  /** Outputs and their addresses, of which those from {@link #taken} up to {@link #outputs} are in use. */
  readonly #specs: OperandSpec[] = [];
  readonly #addresses: number[] = [];
  #taken = 0;
  #outputs = 0;
  /** Whether outputs stay in wasm memory: if any input is there. */
  #resident = false;

  private constructor(memory: WasmMemory) {
    this.#memory = memory;
  }

  /** The arena of a memory, for a call that begins. */
  static of(memory: WasmMemory): Arena {
    let arena = arenas.get(memory);
    if (arena === undefined) {
      arena = new Arena(memory);
      arenas.set(memory, arena);
    }
    return arena;
  }

  /**
   * Allocates memory for the time of the call.
   *
   * @throws WasmOutOfMemoryError
   */
  allocate(bytes: number): number {
    const address = this.#memory.allocate(bytes);
    this.#freeLater(address);
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
    if (isDeviceTensor(t)) {
      const placed = this.#placedDevice(argument, t);
      const last = shape.length - 1;
      if ((shape[last] as number) <= 1 || placed.strides[last] === 1) return placed;
      const storage = this.#storage(argument, t);
      const { address, strides } = gather(this.#memory, dtype, shape, placementOf(storage, t));
      this.#freeLater(address);
      return { address, strides: repeated(shape, strides), shape, dtype };
    }
    const { address, strides } = copyIn(this.#memory, t);
    this.#freeLater(address);
    return { address, strides: repeated(shape, strides), shape, dtype };
  }

  /**
   * Copies some entries of a host tensor's first axis, one after another.
   *
   * @throws WasmOutOfMemoryError
   */
  placeEntries(t: HostTensor, entries: readonly number[]): PlacedTensor {
    const { address, strides } = copyEntries(this.#memory, t, entries);
    this.#freeLater(address);
    return { address, strides, shape: [entries.length, ...t.shape.slice(1)], dtype: t.dtype };
  }

  /**
   * Copies rows of a host tensor `[entries, heads, rows, …]`, the ranges one after another, as those of the only entry.
   *
   * @param total rows of all ranges together
   * @throws WasmOutOfMemoryError
   */
  placeRows(t: HostTensor, ranges: readonly RowRange[], total: number): PlacedTensor {
    const { address, strides } = copyRows(this.#memory, t, ranges, total);
    this.#freeLater(address);
    const [, heads = 0, , ...row] = t.shape;
    return { address, strides, shape: [1, heads, total, ...row], dtype: t.dtype };
  }

  /**
   * Places a tensor whose last axis may have any stride, such as a mask or a bias: only host tensors are copied.
   *
   * @throws as `place`
   */
  placeBroadcast(argument: string, t: Tensor): PlacedTensor {
    return isDeviceTensor(t) ? this.#placedDevice(argument, t) : this.place(argument, t);
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
  allocateOutput(spec: OperandSpec): number {
    const address = this.#memory.allocate(elementCount(spec.shape) * bytesPerElement(spec.dtype));
    this.#specs[this.#outputs] = spec;
    this.#addresses[this.#outputs] = address;
    this.#outputs += 1;
    return address;
  }

  /** The address of an output, by its number among those allocated. */
  outputAddress(index: number): number {
    return this.#addresses[index] as number;
  }

  /** The outputs by name, once they are written: they belong to the caller. */
  takeOutputs(): Readonly<Record<string, Tensor>> {
    const memory = this.#memory;
    const taken: Record<string, Tensor> = {};
    for (let i = this.#taken; i < this.#outputs; i++) {
      const { name, dtype, shape } = this.#specs[i] as OperandSpec;
      const address = this.#addresses[i] as number;
      if (this.#resident) {
        taken[name] = tensorAt(memory, dtype, shape, address);
        this.#taken = i + 1;
      } else {
        taken[name] = copyOut(memory, dtype, shape, { address, strides: rowMajorStrides(shape) });
      }
    }
    return taken;
  }

  /** Frees everything but outputs that were taken and stay in wasm memory. */
  release(): void {
    for (let i = this.#transients - 1; i >= 0; i--) this.#memory.free(this.#transient[i] as number);
    for (let i = this.#taken; i < this.#outputs; i++) {
      this.#memory.free(this.#addresses[i] as number);
    }
    this.#transients = 0;
    this.#taken = 0;
    this.#outputs = 0;
    this.#resident = false;
  }

  #freeLater(address: number): void {
    this.#transient[this.#transients] = address;
    this.#transients += 1;
  }

  #placedDevice(argument: string, t: DeviceTensor): PlacedTensor {
    this.#resident = true;
    return this.#storage(argument, t).placed(t);
  }

  #storage(argument: string, t: DeviceTensor): WasmStorage {
    const storage = storageOf(t, WasmStorage);
    if (storage === null || storage.memory !== this.#memory) {
      throw new InvalidInputError(
        argument,
        "a tensor of this backend",
        t.backend === "wasm" ? "one of another wasm backend" : `a tensor of backend ${t.backend}`,
      );
    }
    if (t.disposed) throw new DisposedError(argument);
    return storage;
  }
}
