import type { DeviceAccess } from "./access.js";
import { type GpuBuffer, mapRead } from "./gpu.js";
import type { PooledBuffer } from "./pool.js";

/**
 * Waits for the bytes that were copied into a staging buffer, and gives the buffer back to the pool.
 *
 * @param staging a buffer of the pool with `stagingUsage`
 * @param accepted of the submission that copies
 * @throws DeviceError, DeviceLostError
 */
export async function readStaging<B extends GpuBuffer>(
  { faults, pool }: Pick<DeviceAccess<B>, "faults" | "pool">,
  staging: PooledBuffer<B>,
  bytes: number,
  accepted: Promise<void>,
): Promise<ArrayBuffer> {
  const { buffer } = staging;
  let mapped: Promise<unknown> = Promise.resolve();
  try {
    mapped = buffer.mapAsync(mapRead, 0, bytes);
    mapped.catch(() => {});
    await accepted;
    await faults.orLost(mapped);
    // A copy, since unmapping detaches the mapped range.
    const data = buffer.getMappedRange(0, bytes).slice(0);
    buffer.unmap();
    pool.release(staging);
    return data;
  } catch (error) {
    // It may still be mapped, or about to be. Not before that has ended: where the device is lost meanwhile, Dawn's binding
    // for Node settles the promise a second time, and the process ends with a segmentation fault.
    const destroy = (): void => buffer.destroy();
    mapped.then(destroy, destroy);
    pool.forget(staging);
    throw error;
  }
}
