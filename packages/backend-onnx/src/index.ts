/**
 * Attention as ONNX models, on any execution provider of ONNX Runtime.
 *
 * @module
 */
import type { Provider } from "@heed/core";
import { backendOn } from "./backend.js";
import { loadRuntime } from "./runtime/load.js";
import { checkOptions, type OnnxOptions } from "./runtime/options.js";

export { type OnnxTest, toOnnxTest } from "./attention/export/test-data.js";
export { toOnnx } from "./attention/export/to-onnx.js";
export { type OnnxTensorOptions, onnxTensor } from "./device/wrap.js";
export { OnnxRuntimeError } from "./runtime/errors.js";
export type { OnnxOptions, OnnxProvider } from "./runtime/options.js";
export type { OnnxRuntime } from "./runtime/runtime.js";

/**
 * The ONNX backend: graphs of ONNX operators on one execution provider of ONNX Runtime. Loading it imports
 * onnxruntime-web or onnxruntime-node, whichever the execution provider needs; both are optional peers.
 *
 * @throws InvalidInputError for a wrong option
 */
export function onnx(options: OnnxOptions = {}): Provider {
  const checked = checkOptions(options);
  return { name: "onnx", load: async () => backendOn(await loadRuntime(checked)) };
}
