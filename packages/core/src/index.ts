/**
 * Scaled dot-product attention for every JavaScript runtime: the interface, tensors, validation,
 * the float64 reference, and the choice of backend.
 *
 * @module
 */
export {
  type Attention,
  type AttentionOptions,
  type AttentionResult,
  type BackendStatus,
  createAttention,
  type Explanation,
} from "./attention.js";
export type {
  AttentionBackend,
  AttentionPlan,
  AttentionProvider,
  BackendInfo,
  PlanDescription,
  Support,
} from "./backend.js";
export {
  type BoundHeadValues,
  type BoundInputs,
  type BoundPositions,
  bindHeadValues,
  bindInputs,
  bindPositions,
} from "./bind.js";
export { describeProblem } from "./describe.js";
export {
  allocate,
  bytesPerElement,
  type DType,
  type FloatDType,
  statisticsDType,
  type TypedArray,
} from "./dtype.js";
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
export {
  type Float16ArrayLike,
  float16BitsToNumber,
  numberToFloat16Bits,
  roundToFloat16,
} from "./float16.js";
export { type HostBackend, type HostPlan, hostProvider } from "./host-provider.js";
export type {
  AttentionInputs,
  AttentionOutputs,
  AttentionReturns,
  AttentionWindow,
  BatchIntegers,
  HeadValues,
  ScoresKind,
} from "./inputs.js";
export { mergePartials, type PartialAttention } from "./merge.js";
export {
  type AttentionProblem,
  type BroadcastInput,
  type PositionRule,
  visibleBand,
} from "./problem.js";
export {
  type BackendRecommendation,
  checkRecommendation,
  type RecommendationCondition,
  type RecommendationRange,
  type RecommendationRule,
  type RecommendedBackend,
} from "./recommendation.js";
export { referenceAttention } from "./reference.js";
export { reference } from "./reference-backend.js";
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
} from "./tensor.js";
export { cast, fromFloat64, holdsBits, roundTo, toFloat64, writeValues } from "./values.js";
export { broadcastTo, contiguous, mergeHeads, slice, splitHeads, transpose } from "./views.js";
