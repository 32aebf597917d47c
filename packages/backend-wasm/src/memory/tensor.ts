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
  tensor,
} from "@heed/core";
import type { WasmMemory } from "./memory.js";
import { copyIn, isRowMajor, type Placement, packFrom } from "./placement.js";

/** The memory of one or more tensors: an allocation. */
export class WasmStorage implements DeviceStorage {
  readonly backend = "wasm";
  readonly memory: WasmMemory;
  readonly address: number;

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
  { address, strides }: Placement,
): DeviceTensor {
  return deviceTensor(new WasmStorage(memory, address), { dtype, shape, strides });
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
  return tensorAt(memory, t.dtype, t.shape, copyIn(memory, t));
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
  return tensorAt(memory, dtype, shape, { address, strides: rowMajorStrides(shape) });
}

/** A new array that is not filled with zeros before: that would take as long as the copy. */
function copyOfFloats(memory: WasmMemory, address: number, count: number): Float32Array {
  try {
    return new Float32Array(memory.floats.subarray(address / 4, address / 4 + count));
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
