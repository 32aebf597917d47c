import {
  bytesPerElement,
  contiguous,
  elementCount,
  type HostTensor,
  isContiguous,
  rowMajorStrides,
} from "@heed/core";
import type { PooledBuffer } from "./pool.js";
import type { DeviceLayout, DeviceMemory } from "./tensor.js";
import { tensorUsage } from "./usage.js";

export interface Uploaded {
  readonly pooled: PooledBuffer;
  readonly layout: DeviceLayout;
}

/** Gaps that are rather uploaded than closed, as a part of the elements. */
const mostGaps = 0.5;

/**
 * Copies a host tensor into a buffer of the pool. Elements that lie close together go as they are,
 * with their strides; a view of something much larger is packed first.
 */
export async function upload(memory: DeviceMemory, t: HostTensor): Promise<Uploaded> {
  const count = elementCount(t.shape);
  const last = t.shape.reduce(
    (at, n, axis) => at + (t.strides[axis] as number) * (n - 1),
    t.offset,
  );
  const span = count === 0 ? 0 : last - t.offset + 1;
  const dense = isContiguous(t) || span <= count * (1 + mostGaps) ? t : contiguous(t);
  const elements = dense === t ? span : count;
  const size = bytesPerElement(t.dtype);
  const bytes = new Uint8Array(
    dense.data.buffer,
    dense.data.byteOffset + dense.offset * size,
    elements * size,
  );
  const pooled = await memory.pool.acquire(bytes.length, tensorUsage);
  memory.faults.checkPresent();
  writeBytes(memory.device, pooled.buffer, bytes);
  const strides = dense === t ? t.strides : rowMajorStrides(t.shape);
  return { pooled, layout: { dtype: t.dtype, shape: t.shape, strides, offset: 0 } };
}

/** Writes any number of bytes: WebGPU writes multiples of four, which buffers of the pool have. */
function writeBytes(device: GPUDevice, buffer: GPUBuffer, bytes: Uint8Array): void {
  // Memory shared with other threads is copied: not every implementation takes it.
  const own = bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice();
  const whole = Math.floor(own.length / 4) * 4;
  if (whole > 0) {
    device.queue.writeBuffer(buffer, 0, own.buffer as ArrayBuffer, own.byteOffset, whole);
  }
  if (whole < own.length) {
    const tail = new Uint8Array(4);
    tail.set(own.subarray(whole));
    device.queue.writeBuffer(buffer, whole, tail);
  }
}
