import type { GpuBuffer, GpuDevice } from "./gpu.js";

/** Whether the queue accepts memory as it is: not every implementation takes shared or resizable memory. */
function isPlain(buffer: ArrayBufferLike): buffer is ArrayBuffer {
  return buffer instanceof ArrayBuffer && (buffer as { resizable?: boolean }).resizable !== true;
}

/**
 * Queues a write of any number of bytes to the start of a buffer. WebGPU writes multiples of four: up
 * to three bytes after the end become 0, so the buffer's size must be a multiple of four.
 */
export function writeBytes<B extends GpuBuffer>(
  device: Pick<GpuDevice<B>, "queue">,
  buffer: B,
  bytes: Uint8Array,
): void {
  // A slice is a copy in a plain ArrayBuffer, whatever the memory was.
  const own = isPlain(bytes.buffer) ? bytes : bytes.slice();
  const whole = Math.floor(own.length / 4) * 4;
  if (whole > 0) {
    device.queue.writeBuffer(buffer, 0, own.buffer as ArrayBuffer, own.byteOffset, whole);
  }
  if (whole < own.length) {
    const tail = new Uint8Array(4);
    tail.set(own.subarray(whole));
    device.queue.writeBuffer(buffer, whole, tail.buffer, 0, 4);
  }
}
