/**
 * Tensors in GPUBuffers, for backends on WebGPU: pools of buffers, uploads, read-back, buffers that
 * belong to somebody else, and a device's failures as typed errors.
 *
 * @module
 */
export type { DeviceAccess } from "./access.js";
export { Commands } from "./commands.js";
export { Faults } from "./faults.js";
export {
  type ComputeDevice,
  type GpuBuffer,
  type GpuDevice,
  type GpuError,
  mapRead,
  stagingUsage,
  tensorUsage,
  usage,
} from "./gpu.js";
export { GpuMemory, type GpuMemoryOptions, type Placed, type StoredForm } from "./memory.js";
export { Packer } from "./pack.js";
export {
  BufferPool,
  type FilledBy,
  mostIdleBytes,
  mostPassedOver,
  type PooledBuffer,
} from "./pool.js";
export { type RowPlaces, RowWriter } from "./rows.js";
export { type StagedTensor, stageTensor } from "./stage.js";
export { readStaging } from "./staging.js";
export {
  type BufferTensor,
  bufferOf,
  bufferTensor,
  GpuStorage,
  type GpuStorageOptions,
  lastElement,
  viewAs,
} from "./storage.js";
export { type WrapOptions, wrapBuffer } from "./wrap.js";
export { writeBytes } from "./write.js";
