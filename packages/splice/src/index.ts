/**
 * The attention of a whole ONNX model, found in its graph and run by Heed.
 *
 * @module
 */
export { type OnnxRuntime, OnnxRuntimeError } from "@heed/backend-onnx/runtime";
export { SpliceError, type SpliceReason } from "./errors.js";
export type { SpliceOptions } from "./options.js";
export type { Site, SiteResult, UnsplicedNode } from "./site.js";
export { splice } from "./splice.js";
export type {
  ModelInput,
  OnnxTensor,
  RunOptions,
  RunResult,
  SplicedModel,
} from "./spliced-model.js";
