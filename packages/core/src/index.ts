/**
 * Scaled dot-product attention for every JavaScript runtime: the interface, tensors, validation,
 * the float64 reference, and the choice of backend.
 *
 * @module
 */

export {
  type BoundHeadValues,
  type BoundInputs,
  type BoundPositions,
  bindHeadValues,
  bindInputs,
  bindPositions,
} from "./attention/bind.js";
export { describeProblem } from "./attention/describe.js";
export type {
  AttentionInputs,
  AttentionOutputs,
  AttentionReturns,
  AttentionWindow,
  BatchIntegers,
  HeadValues,
  ScoresKind,
} from "./attention/inputs.js";
export {
  type AttentionProblem,
  type BroadcastInput,
  type PositionRule,
  visibleBand,
} from "./attention/problem.js";
export { referenceAttention } from "./attention/reference.js";
export { reference } from "./attention/reference-backend.js";
export {
  type BackendReasons,
  BackendUnavailableError,
  DeviceError,
  DeviceLostError,
  DisposedError,
  HeedError,
  InvalidInputError,
  OutOfMemoryError,
  type SupportReason,
  UnsupportedError,
} from "./errors.js";
export { mergePartials, type PartialAttention } from "./merge/merge.js";
export type {
  AttentionBackend,
  AttentionPlan,
  AttentionProvider,
  BackendInfo,
  PlanDescription,
  Support,
} from "./operation/backend.js";
export { type HostBackend, type HostPlan, hostProvider } from "./operation/host-provider.js";
export {
  type Attention,
  type AttentionOptions,
  type AttentionResult,
  type BackendStatus,
  createAttention,
  type Explanation,
} from "./select/create-attention.js";
export {
  type BackendRecommendation,
  checkRecommendation,
  type RecommendationCondition,
  type RecommendationRange,
  type RecommendationRule,
  type RecommendedBackend,
} from "./select/recommendation.js";
export {
  allocate,
  bytesPerElement,
  type DType,
  type FloatDType,
  statisticsDType,
  type TypedArray,
} from "./tensor/dtype.js";
export {
  type Float16ArrayLike,
  float16BitsToNumber,
  numberToFloat16Bits,
  roundToFloat16,
} from "./tensor/float16.js";
export {
  type DeviceTensor,
  elementCount,
  type HostTensor,
  isContiguous,
  isDeviceTensor,
  rowMajorStrides,
  type Tensor,
  type TensorOptions,
  tensor,
  zeros,
} from "./tensor/tensor.js";
export { cast, fromFloat64, holdsBits, roundTo, toFloat64, writeValues } from "./tensor/values.js";
export {
  broadcastTo,
  contiguous,
  mergeHeads,
  slice,
  splitHeads,
  transpose,
} from "./tensor/views.js";
