/**
 * Scaled dot-product attention for every JavaScript runtime: the interface, tensors, validation,
 * the float64 reference, and the choice of backend.
 *
 * @module
 */

export {
  BoundAttention,
  type BoundHeadValues,
  type BoundInputs,
  bindAttention,
  bindHeadValues,
  bindInputs,
} from "./attention/bind.js";
export { bindPositions } from "./attention/bind-positions.js";
export { describeProblem } from "./attention/describe.js";
export {
  type AttentionFeatureName,
  attentionFeatureNames,
  attentionFeaturesOf,
  refuseFeatures,
} from "./attention/features.js";
export type {
  AttentionInputs,
  AttentionOutputs,
  AttentionOutputsOf,
  AttentionReturns,
  AttentionWindow,
  BatchIntegers,
  HeadValues,
  ScoresKind,
  SequenceStarts,
} from "./attention/inputs.js";
export { attention } from "./attention/operation.js";
export { paddingMask } from "./attention/padding-mask.js";
export {
  type AttentionProblem,
  type BlockMaskShape,
  type BroadcastInput,
  type KvDType,
  lengthClassKey,
  optionsOf as attentionOptionsOf,
  type PageSizes,
  type PositionRule,
  type RaggedAxes,
} from "./attention/problem.js";
export type { BoundBlockMask, BoundPrograms } from "./attention/programs.js";
export { referenceAttention } from "./attention/reference.js";
export {
  type BoundPositions,
  type BoundTables,
  Sequence,
  type VisitKeyRun,
} from "./attention/sequences.js";
export {
  headsPerGroup,
  type KeyRange,
  keyHeadOf,
  positionRange,
  rowsSeeing,
  type TileVisibility,
  tileVisibility,
  type VisibleBand,
  visibleBand,
  visibleKeys,
} from "./attention/visibility.js";
export { type AttentionWork, attentionWork, workOf } from "./attention/work.js";
export {
  keysOfItem,
  type WorkGrid,
  type WorkItem,
  WorkList,
  workGrid,
  workItem,
} from "./attention/work-items.js";
export {
  BackendError,
  type BackendReasons,
  BackendUnavailableError,
  DeviceError,
  DeviceLostError,
  DisposedError,
  describeValue,
  HeedError,
  type HeedErrorCode,
  type HeedErrorOfCode,
  InvalidInputError,
  isHeedError,
  OutOfMemoryError,
  type SupportReason,
  UnsupportedError,
} from "./errors.js";
export type { MergeInputs, MergeOutputs, PartialAttention } from "./merge/inputs.js";
export { mergePartials } from "./merge/merge.js";
export { merge } from "./merge/operation.js";
export type { BoundMerge, MergeProblem } from "./merge/problem.js";
export type { AbortSignalLike } from "./operation/abort.js";
export type {
  AttentionBackend,
  AttentionPlan,
  AttentionProvider,
  Backend,
  BackendInfo,
  Plan,
  PlanDescription,
  PlanOptions,
  Provider,
  Support,
  Tiles,
  TuneRequest,
} from "./operation/backend.js";
export { CallOrder, type CallTurn } from "./operation/call-order.js";
export {
  type BackendDefinition,
  defineBackend,
  type Implementation,
  implement,
  type KernelPlan,
  type OperationKernels,
  type Verdict,
} from "./operation/define-backend.js";
export { type HostBackend, type HostPlan, hostProvider } from "./operation/host-provider.js";
export {
  type AnyOperation,
  type Bound,
  type BoundOf,
  type InputsOf,
  type OperandSpec,
  type Operation,
  type OutputsOf,
  outputsOf,
  type ProblemOf,
} from "./operation/operation.js";
export type { Problem, Work } from "./operation/problem.js";
export { referenceKernels, roundOutputs } from "./operation/reference-kernels.js";
export type { ProjectionInputs, ProjectionOutputs } from "./projection/inputs.js";
export { type BoundProjection, projection } from "./projection/operation.js";
export type { ProjectionProblem } from "./projection/problem.js";
export type { RmsNormInputs, RmsNormOutputs } from "./rms-norm/inputs.js";
export { type BoundRmsNorm, rmsNorm } from "./rms-norm/operation.js";
export type { RmsNormProblem } from "./rms-norm/problem.js";
export type { BoundRotary } from "./rotary/bind.js";
export {
  type InterpolatedFrequencies,
  interpolatedFrequencies,
  type Llama3Frequencies,
  llama3Frequencies,
  type NtkFrequencies,
  ntkFrequencies,
  type RotaryBase,
  rotaryFrequencies,
  type YarnFrequencies,
  yarnAttentionFactor,
  yarnFrequencies,
} from "./rotary/frequencies.js";
export type { RotaryInputs, RotaryOutputs } from "./rotary/inputs.js";
export { rotary } from "./rotary/operation.js";
export type { RotaryProblem } from "./rotary/problem.js";
export type { BoundScatter } from "./scatter/bind.js";
export type { ScatterInputs, ScatterOutputs } from "./scatter/inputs.js";
export { scatter } from "./scatter/operation.js";
export type { ScatterProblem } from "./scatter/problem.js";
export { scatterRows } from "./scatter/rows.js";
export type {
  Attention,
  AttentionOptions,
  AttentionResult,
  BackendStatus,
  CallOptions,
  MemoryOptions,
  PrepareOptions,
  WarmUpOptions,
} from "./select/attention.js";
export { createAttention } from "./select/create-attention.js";
export type { AttentionEvents } from "./select/events.js";
export type { Explanation } from "./select/explanation.js";
export type { DisposeOptions, Limits } from "./select/limits.js";
export {
  type BackendRecommendation,
  checkRecommendation,
  type RecommendationCondition,
  type RecommendationRange,
  type RecommendationRule,
  type RecommendedBackend,
} from "./select/recommendation.js";
export { reference } from "./select/reference-backend.js";
export {
  type DeviceMemory,
  type DeviceStorage,
  deviceTensor,
  storageOf,
  type TensorLayout,
} from "./tensor/device.js";
export {
  allocate,
  bytesPerElement,
  type DataOfDType,
  type DType,
  type FloatDType,
  type StatisticsDType,
  statisticsDType,
  type TypedArray,
} from "./tensor/dtype.js";
export {
  type Float16ArrayLike,
  float16BitsToNumber,
  numberToFloat16Bits,
  roundToFloat16,
} from "./tensor/float16.js";
export { checkTensor, isDeviceTensor } from "./tensor/host-tensor.js";
export { elementCount, rowMajorStrides } from "./tensor/layout.js";
export {
  type DeviceTensor,
  type HostTensor,
  type Tensor,
  type TensorOptions,
  tensor,
  zeros,
} from "./tensor/tensor.js";
export { cast, fromFloat64, holdsBits, roundTo, toFloat64, writeValues } from "./tensor/values.js";
export {
  broadcastTo,
  contiguous,
  isContiguous,
  mergeHeads,
  reshape,
  slice,
  splitHeads,
  transpose,
  type ViewOf,
} from "./tensor/views.js";
