/**
 * Tensors, views of them and errors, apart from operations and backends: bundlers that split an
 * application by files can then load the rest later.
 *
 * @module
 */
export { paddingMask } from "./attention/padding-mask.js";
export {
  BackendError,
  BackendUnavailableError,
  DeviceError,
  DeviceLostError,
  DisposedError,
  HeedError,
  InvalidInputError,
  isHeedError,
  OutOfMemoryError,
  UnsupportedError,
} from "./errors.js";
export { isDeviceTensor } from "./tensor/host-tensor.js";
export { tensor, zeros } from "./tensor/tensor.js";
export { cast } from "./tensor/values.js";
export {
  broadcastTo,
  contiguous,
  isContiguous,
  mergeHeads,
  reshape,
  slice,
  splitHeads,
  transpose,
} from "./tensor/views.js";
