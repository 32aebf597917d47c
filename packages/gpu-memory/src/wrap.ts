import {
  bytesPerElement,
  type DType,
  elementCount,
  InvalidInputError,
  rowMajorStrides,
} from "@heed/core";
import { type GpuBuffer, usage } from "./gpu.js";
import { type BufferTensor, bufferTensor, GpuStorage, lastElement } from "./storage.js";

export interface WrapOptions {
  /** float32, float16 (2 bytes an element), int32, or bool (1 byte an element) for masks. */
  readonly dtype: DType;
  /** Index of element `[0, 0, …]`, in elements. Default 0. */
  readonly offset?: number | undefined;
  /** In elements. Default: row-major, without gaps. */
  readonly strides?: readonly number[] | undefined;
}

/**
 * A GPUBuffer that belongs to somebody else as a tensor, without a copy. It stays theirs: `dispose`
 * only forgets it.
 *
 * @param backend name of the backend that the tensor is for
 * @param buffer with usage STORAGE, and COPY_SRC if the tensor is to be read
 * @throws InvalidInputError naming `buffer`, `shape`, `dtype`, `strides` or `offset`
 */
export function wrapBuffer<B extends GpuBuffer>(
  backend: string,
  buffer: B,
  shape: readonly number[],
  options: WrapOptions,
): BufferTensor<B> {
  if (typeof buffer?.size !== "number" || typeof buffer.usage !== "number") {
    throw new InvalidInputError("buffer", "a GPUBuffer", typeof buffer);
  }
  if ((buffer.usage & usage.storage) === 0) {
    throw new InvalidInputError("buffer", "usage STORAGE", `usage ${buffer.usage}`);
  }
  checkSizes("shape", shape);
  const { dtype, offset = 0, strides = rowMajorStrides(shape) } = options;
  if (!["float32", "float16", "int32", "bool"].includes(dtype)) {
    throw new InvalidInputError("dtype", "float32, float16, int32 or bool", String(dtype));
  }
  checkSizes("strides", strides);
  checkSizes("offset", [offset]);
  if (strides.length !== shape.length) {
    throw new InvalidInputError("strides", `${shape.length} strides`, `${strides.length}`);
  }
  const layout = { dtype, shape, strides, offset };
  const end = elementCount(shape) === 0 ? 0 : (lastElement(layout) + 1) * bytesPerElement(dtype);
  if (end > buffer.size) {
    throw new InvalidInputError(
      "shape",
      `elements within the buffer's ${buffer.size} bytes`,
      `${end} bytes`,
    );
  }
  return bufferTensor(new GpuStorage({ backend, buffer }), layout);
}

function checkSizes(argument: string, sizes: readonly number[]): void {
  if (!Array.isArray(sizes) || sizes.some((size) => !Number.isSafeInteger(size) || size < 0)) {
    throw new InvalidInputError(argument, "integers ≥ 0", String(sizes));
  }
}
