/**
 * ONNX Runtime as Heed's packages use it: found, typed by the members that they need, and taking turns.
 *
 * @module
 */
export { messageOf, OnnxRuntimeError } from "./runtime/errors.js";
export { exclusively } from "./runtime/exclusive.js";
export { importRuntime } from "./runtime/import.js";
export { runtimeTensor } from "./runtime/native-data.js";
export type { OnnxProvider } from "./runtime/options.js";
export {
  isRuntime,
  type OnnxRuntime,
  type Runtime,
  type RuntimeDType,
  type RuntimeSession,
  type RuntimeTensor,
} from "./runtime/runtime.js";
