import {
  allocate,
  bytesPerElement,
  type DeviceStorage,
  type DeviceTensor,
  type DType,
  deviceTensor,
  elementCount,
  type HostTensor,
  InvalidInputError,
  OutOfMemoryError,
  rowMajorStrides,
  type TensorLayout,
  type TypedArray,
  tensor,
} from "@heed/core";
import type { WasmMemory } from "./memory.js";
import {
  copyIn,
  isRowMajor,
  type PlacedTensor,
  type Placement,
  packFrom,
  repeated,
} from "./placement.js";

/** The memory of one or more tensors: an allocation. */
export class WasmStorage implements DeviceStorage {
  readonly backend = "wasm";
  readonly memory: WasmMemory;
  readonly address: number;
  /** The latest answer of {@link placed}, and the strides that it was made from. */
  #placed: PlacedTensor | null = null;
  #strides: readonly number[] | null = null;
  /** The latest answer of {@link view}. */
  #view: HostTensor | null = null;

  /** @param address of an allocation, which belongs to the storage from here on */
  constructor(memory: WasmMemory, address: number) {
    this.memory = memory;
    this.address = address;
  }

  async read(layout: TensorLayout): Promise<HostTensor> {
    return copyOut(this.memory, layout.dtype, layout.shape, placementOf(this, layout));
  }

  release(): void {
    this.memory.free(this.address);
  }

  /**
   * The address of a tensor on this storage, with strides of 0 for axes of size 1. The answer is kept, since caches and
   * weights are placed in each call; the tensor is not, so that it can be collected.
   */
  placed(t: DeviceTensor): PlacedTensor {
    const { shape, dtype } = t;
    const { address, strides } = placementOf(this, t);
    const known = this.#placed;
    if (known?.shape === shape && known.address === address && this.#strides === strides) {
      return known;
    }
    this.#strides = strides;
    this.#placed = { address, strides: repeated(shape, strides), shape, dtype };
    return this.#placed;
  }

  /**
   * A tensor on this storage as one over an array of the whole memory. The answer is kept as long as the memory does
   * not grow.
   *
   * @param data the memory in elements of the tensor's size
   */
  view(t: Layout, data: TypedArray): HostTensor {
    const { dtype, shape } = t;
    const { address, strides } = placementOf(this, t);
    const start = address / data.BYTES_PER_ELEMENT;
    const known = this.#view;
    if (
      known?.data === data &&
      known.shape === shape &&
      known.strides === strides &&
      known.offset === start
    ) {
      return known;
    }
    // Not checked again: the call was, and this one is made for each row that is written.
    this.#view = { dtype, shape, strides, offset: start, data } as HostTensor;
    return this.#view;
  }
}

type Layout = Pick<TensorLayout, "dtype" | "shape"> & Partial<TensorLayout>;

/** Address of a tensor's first element in wasm memory, in bytes, and its strides, in elements. */
export function placementOf(storage: WasmStorage, layout: Layout): Placement {
  const { dtype, shape, strides = rowMajorStrides(shape), offset = 0 } = layout;
  return { address: storage.address + offset * bytesPerElement(dtype), strides };
}

/**
 * A tensor over an allocation, which belongs to it from here on.
 *
 * @param strides default: row-major
 */
export function tensorAt(
  memory: WasmMemory,
  dtype: DType,
  shape: readonly number[],
  address: number,
  strides?: readonly number[],
): DeviceTensor {
  const storage = new WasmStorage(memory, address);
  return deviceTensor(storage, strides ? { dtype, shape, strides } : { dtype, shape });
}

const held: readonly DType[] = ["float32", "float16", "int8", "bool"];

/** Throws InvalidInputError for element types that no input of a kernel, and no cache, has. */
function checkHeld(argument: string, dtype: DType): void {
  if (!held.includes(dtype)) {
    throw new InvalidInputError(argument, "dtype float32, float16, int8 or bool", dtype);
  }
}

/**
 * Copies a tensor, which is well-formed, into wasm memory.
 *
 * @throws WasmOutOfMemoryError, InvalidInputError for a dtype other than float32, float16, int8 and bool
 */
export function upload(memory: WasmMemory, t: HostTensor): DeviceTensor {
  checkHeld("tensor", t.dtype);
  const { address, strides } = copyIn(memory, t);
  return tensorAt(memory, t.dtype, t.shape, address, strides);
}

/**
 * A tensor of zeros in wasm memory.
 *
 * @throws WasmOutOfMemoryError, InvalidInputError for a dtype other than float32, float16, int8 and bool
 */
export function allocateZeros(
  memory: WasmMemory,
  dtype: DType,
  shape: readonly number[],
): DeviceTensor {
  checkHeld("dtype", dtype);
  const bytes = elementCount(shape) * bytesPerElement(dtype);
  const address = memory.allocate(bytes);
  memory.bytes(address, bytes).fill(0);
  return tensorAt(memory, dtype, shape, address);
}

/** A new array that is not filled with zeros before; V8 makes it by `slice` in 0.8 of the time that it takes from a view. */
function copyOfFloats(memory: WasmMemory, address: number, count: number): Float32Array {
  try {
    return memory.floats.slice(address / 4, address / 4 + count);
  } catch (cause) {
    throw new OutOfMemoryError("host", `no memory for ${4 * count} bytes`, { cause });
  }
}

/** Copies elements out of wasm memory into a row-major host tensor. */
export function copyOut(
  memory: WasmMemory,
  dtype: DType,
  shape: readonly number[],
  placement: Placement,
): HostTensor {
  const count = elementCount(shape);
  if (dtype === "float32" && isRowMajor(shape, placement.strides)) {
    return tensor(copyOfFloats(memory, placement.address, count), shape, { dtype });
  }
  const data = allocate(dtype, count);
  packFrom(memory, shape, placement, data);
  return tensor(data, shape, { dtype });
}
