import type { Faults } from "./faults.js";
import type { GpuBuffer, GpuDevice } from "./gpu.js";
import type { BufferPool } from "./pool.js";

/** A device and its buffers, as storages and uploads need them. */
export interface DeviceAccess<B extends GpuBuffer = GpuBuffer> {
  readonly device: GpuDevice<B>;
  readonly faults: Faults;
  readonly pool: BufferPool<B>;
}
