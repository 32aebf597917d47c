/**
 * Scaled dot-product attention for every JavaScript runtime, on whichever backend works best here.
 *
 * @module
 */
export type {
  AbortSignalLike,
  Attention,
  AttentionEvents,
  AttentionInputs,
  AttentionOutputs,
  AttentionProblem,
  AttentionProvider,
  AttentionResult,
  AttentionReturns,
  AttentionWindow,
  BackendInfo,
  BackendReasons,
  BackendRecommendation,
  BackendStatus,
  BatchIntegers,
  CallOptions,
  DataOfDType,
  DeviceTensor,
  DisposeOptions,
  DType,
  Explanation,
  FloatDType,
  HeadValues,
  HeedErrorCode,
  HostTensor,
  MemoryOptions,
  PrepareOptions,
  Problem,
  Provider,
  SupportReason,
  Tensor,
  TensorOptions,
  TypedArray,
  WarmUpOptions,
} from "@heed/core";
// Values come from a module of core without operations: a bundler that splits by files would put all of
// core in front.
export {
  BackendError,
  BackendUnavailableError,
  broadcastTo,
  cast,
  contiguous,
  DeviceError,
  DeviceLostError,
  DisposedError,
  HeedError,
  InvalidInputError,
  isContiguous,
  isDeviceTensor,
  isHeedError,
  mergeHeads,
  OutOfMemoryError,
  paddingMask,
  reshape,
  slice,
  splitHeads,
  tensor,
  transpose,
  UnsupportedError,
  zeros,
} from "@heed/core/tensor";
export {
  js,
  type WasmOptions,
  type WebGpuOptions,
  type WorkerOptions,
  wasm,
  webgpu,
} from "./backends.js";
export { createAttention } from "./create-attention.js";
export { type Environment, environmentOf } from "./environment.js";
export type { ArrayWithShape, HostInput, ScaledDotProductOptions } from "./inputs.js";
export type { LearningStore } from "./learn/store.js";
export type { HeedOptions } from "./options.js";
export { type BackendName, defaultOrder, type Place } from "./order.js";
export { scaledDotProductAttention } from "./scaled-dot-product-attention.js";
