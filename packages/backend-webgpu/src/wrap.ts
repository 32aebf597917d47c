import type { DeviceTensor } from "@heed/core";
import { type WrapOptions, wrapBuffer } from "@heed/gpu-memory";
import { backendName } from "./name.js";

export type { WrapOptions } from "@heed/gpu-memory";

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
): DeviceTensor & { readonly buffer: GPUBuffer } {
  return wrapBuffer(backendName, buffer, shape, options);
}
