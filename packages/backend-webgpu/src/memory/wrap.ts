import {
  bytesPerElement,
  type DeviceTensor,
  type DType,
  elementCount,
  InvalidInputError,
  rowMajorStrides,
} from "@heed/core";
import { GpuStorage } from "./storage.js";
import { WebGpuTensor } from "./tensor.js";
import { usage } from "./usage.js";

export interface WrapOptions {
  /** float32, float16 (2 bytes an element), or bool (1 byte an element) for masks. */
  readonly dtype: DType;
  /** Of element `[0, 0, …]`, in elements. Default 0. */
  readonly offset?: number | undefined;
  /** In elements. Default: row-major, without gaps. */
  readonly strides?: readonly number[] | undefined;
}

/**
 * A GPUBuffer that belongs to somebody else (onnxruntime-web, jax-js, a renderer) as a tensor,
 * without a copy. It stays theirs: `dispose` only forgets it. It must be of the backend's device, so
 * give that to `webgpu({ device })`.
 *
 * @param buffer with usage STORAGE, and COPY_SRC if the tensor is to be read
 * @throws InvalidInputError naming `buffer`, `shape`, `dtype`, `strides` or `offset`
 */
export function webgpuTensor(
  buffer: GPUBuffer,
  shape: readonly number[],
  options: WrapOptions,
): DeviceTensor {
  if (typeof buffer?.size !== "number" || typeof buffer.usage !== "number") {
    throw new InvalidInputError("buffer", "a GPUBuffer", typeof buffer);
  }
  if ((buffer.usage & usage.storage) === 0) {
    throw new InvalidInputError("buffer", "usage STORAGE", `usage ${buffer.usage}`);
  }
  const { dtype, offset = 0, strides = rowMajorStrides(shape) } = options;
  if (dtype !== "float32" && dtype !== "float16" && dtype !== "bool") {
    throw new InvalidInputError("dtype", "float32, float16 or bool", String(dtype));
  }
  checkSizes("shape", shape);
  checkSizes("strides", strides);
  checkSizes("offset", [offset]);
  if (strides.length !== shape.length) {
    throw new InvalidInputError("strides", `${shape.length} strides`, `${strides.length}`);
  }
  const last = shape.reduce(
    (at, size, axis) => at + (strides[axis] as number) * (size - 1),
    offset,
  );
  const end = elementCount(shape) === 0 ? 0 : (last + 1) * bytesPerElement(dtype);
  if (end > buffer.size) {
    throw new InvalidInputError(
      "shape",
      `elements within the buffer's ${buffer.size} bytes`,
      `${end} bytes`,
    );
  }
  return new WebGpuTensor(
    { dtype, shape, strides, offset },
    new GpuStorage(buffer, () => {}),
    null,
  );
}

function checkSizes(argument: string, sizes: readonly number[]): void {
  if (!Array.isArray(sizes) || sizes.some((size) => !Number.isSafeInteger(size) || size < 0)) {
    throw new InvalidInputError(argument, "integers ≥ 0", String(sizes));
  }
}
