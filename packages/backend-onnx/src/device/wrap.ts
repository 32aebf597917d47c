import type { DeviceTensor } from "@heed/core";
import { type GpuBuffer, type WrapOptions, wrapBuffer } from "@heed/gpu-memory";
import { backendName } from "../name.js";

/** float32, float16 (on devices that have it), int32, or bool (1 byte an element) for masks; strides and offset. */
export type OnnxTensorOptions = WrapOptions;

/**
 * A GPUBuffer that belongs to somebody else as a tensor, without a copy. It stays theirs: `dispose` only
 * forgets it. It must be of the device that onnxruntime-web uses: give both the same one, with
 * `onnx({ device })`.
 *
 * @param buffer a GPUBuffer with usage STORAGE, and COPY_SRC if the tensor is to be read
 * @throws InvalidInputError naming `buffer`, `shape`, `dtype`, `strides` or `offset`
 */
export function onnxTensor(
  buffer: object,
  shape: readonly number[],
  options: OnnxTensorOptions,
): DeviceTensor & { readonly buffer: object } {
  return wrapBuffer(backendName, buffer as GpuBuffer, shape, options);
}
