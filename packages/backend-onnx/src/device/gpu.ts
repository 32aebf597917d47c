/** The parts of WebGPU used here, spelled out since not every project has WebGPU's types. */
export interface GpuBuffer {
  readonly size: number;
  readonly usage: number;
  destroy(): void;
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
}

export interface GpuDevice {
  readonly queue: {
    submit(commands: readonly unknown[]): void;
    writeBuffer(buffer: GpuBuffer, at: number, data: ArrayBufferView): void;
  };
  createBuffer(descriptor: { readonly size: number; readonly usage: number }): GpuBuffer;
  createCommandEncoder(): {
    copyBufferToBuffer(
      from: GpuBuffer,
      fromAt: number,
      to: GpuBuffer,
      toAt: number,
      bytes: number,
    ): void;
    finish(): unknown;
  };
}

/** Members of `GPUBufferUsage`, which not every runtime has as globals. */
export const usage = { mapRead: 0x1, copySource: 0x4, copyTarget: 0x8, storage: 0x80 } as const;

const mapRead = 0x1;

/** Usage of the buffers of tensors. */
export const tensorUsage: number = usage.storage | usage.copySource | usage.copyTarget;

/** onnxruntime's kernels read in vectors of four, 16 bytes at most. */
const granularity = 16;

/** A new buffer for a tensor of so many bytes. */
export function tensorBuffer(device: GpuDevice, bytes: number): GpuBuffer {
  const size = Math.max(1, Math.ceil(bytes / granularity)) * granularity;
  return device.createBuffer({ size, usage: tensorUsage });
}

/** Copies bytes into a buffer; writes have to be whole words. */
export function writeBytes(device: GpuDevice, buffer: GpuBuffer, bytes: Uint8Array): void {
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  const aligned = bytes.length === whole.length;
  if (!aligned) whole.set(bytes);
  device.queue.writeBuffer(buffer, 0, aligned ? bytes : whole);
}

/** Copies a buffer's first bytes out, once everything submitted before is done. */
export async function readBytes(
  device: GpuDevice,
  buffer: GpuBuffer,
  bytes: number,
): Promise<ArrayBuffer> {
  const size = Math.max(4, Math.ceil(bytes / 4) * 4);
  const staging = device.createBuffer({ size, usage: usage.mapRead | usage.copyTarget });
  try {
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(mapRead);
    const copy = staging.getMappedRange().slice(0, bytes);
    staging.unmap();
    return copy;
  } finally {
    staging.destroy();
  }
}
