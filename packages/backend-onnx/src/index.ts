/**
 * Attention as ONNX models, on any execution provider of ONNX Runtime.
 *
 * @module
 */
import type { AttentionProvider } from "@heed/core";
import { OnnxBackend } from "./backend.js";
import { loadRuntime } from "./runtime/load.js";
import { checkOptions, type OnnxOptions } from "./runtime/options.js";

export { type OnnxTensorOptions, onnxTensor } from "./device/tensor.js";
export { OnnxRuntimeError } from "./errors.js";
export { toOnnx } from "./graph/to-onnx.js";
export type { OnnxOptions, OnnxProvider } from "./runtime/options.js";
export type { OnnxRuntime } from "./runtime/runtime.js";
export { type OnnxTest, toOnnxTest } from "./test-data.js";

/**
 * The ONNX backend. Loading it imports onnxruntime-web or onnxruntime-node, whichever the provider
 * needs; both are optional peers.
 *
 * @throws InvalidInputError for a wrong option
 */
export function onnx(options: OnnxOptions = {}): AttentionProvider {
  const checked = checkOptions(options);
  return { name: "onnx", load: async () => new OnnxBackend(await loadRuntime(checked)) };
}
