import type { CallOrder } from "@heed/core";
import type { Commands } from "./commands.js";
import type { Faults } from "./faults.js";
import type { GpuBuffer, GpuDevice } from "./gpu.js";
import type { BufferPool } from "./pool.js";

/** A device and its buffers, as storages and uploads need them. */
export interface DeviceAccess<B extends GpuBuffer = GpuBuffer> {
  readonly device: GpuDevice<B>;
  readonly faults: Faults;
  /** Commands that calls record; whoever works with a buffer in another way submits them first. */
  readonly commands: Commands<B>;
  readonly pool: BufferPool<B>;
  /** The order in which calls submit their work: those that write to given tensors between all others. */
  readonly order: CallOrder;
}
