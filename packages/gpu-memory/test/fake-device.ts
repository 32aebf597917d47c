import type { GpuBuffer, GpuDevice, GpuError } from "@heed/gpu-memory";

/** A buffer in host memory. */
export class FakeBuffer implements GpuBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly size: number;
  readonly usage: number;
  destroyed = false;
  constructor(size: number, usage: number) {
    this.size = size;
    this.usage = usage;
    this.bytes = new Uint8Array(size);
  }
  destroy(): void {
    this.destroyed = true;
  }
  async mapAsync(): Promise<void> {}
  getMappedRange(at = 0, size = this.size - at): ArrayBuffer {
    return this.bytes.buffer.slice(at, at + size);
  }
  unmap(): void {}
}

/** Executes commands when they are submitted, and checks what WebGPU would. */
export class FakeDevice implements GpuDevice<FakeBuffer> {
  readonly limits = { maxBufferSize: 2 ** 20 };
  readonly buffers: FakeBuffer[] = [];
  lose: (info: { reason: string; message: string }) => void = () => {};
  readonly lost = new Promise<{ reason: string; message: string }>((resolve) => {
    this.lose = resolve;
  });
  /** The error that the next popped scope has. */
  nextError: GpuError | null = null;
  readonly queue = {
    submit: (commands: (() => void)[]) => {
      for (const command of commands) command();
    },
    writeBuffer: (buffer: FakeBuffer, at: number, data: ArrayBuffer, from = 0, size = 0) => {
      if (buffer.destroyed) throw new Error("write to a destroyed buffer");
      if (!(data instanceof ArrayBuffer) || (data as { resizable?: boolean }).resizable) {
        throw new TypeError("not a plain ArrayBuffer");
      }
      if (at % 4 !== 0 || size % 4 !== 0) throw new Error("not a multiple of 4 bytes");
      buffer.bytes.set(new Uint8Array(data, from, size), at);
    },
  };
  createBuffer({ size, usage }: { size: number; usage: number }): FakeBuffer {
    const buffer = new FakeBuffer(size, usage);
    this.buffers.push(buffer);
    return buffer;
  }
  createCommandEncoder() {
    const commands: (() => void)[] = [];
    return {
      copyBufferToBuffer: (
        from: FakeBuffer,
        fromAt: number,
        to: FakeBuffer,
        toAt: number,
        bytes: number,
      ) => {
        if (fromAt % 4 !== 0 || bytes % 4 !== 0) throw new Error("not a multiple of 4 bytes");
        if (fromAt + bytes > from.size) throw new Error("copy past the end");
        commands.push(() => {
          if (from.destroyed) throw new Error("copy from a destroyed buffer");
          to.bytes.set(from.bytes.subarray(fromAt, fromAt + bytes), toAt);
        });
      },
      clearBuffer: (buffer: FakeBuffer) => commands.push(() => buffer.bytes.fill(0)),
      finish: () => () => {
        for (const command of commands) command();
      },
    };
  }
  pushErrorScope(): void {}
  async popErrorScope(): Promise<GpuError | null> {
    const error = this.nextError;
    this.nextError = null;
    return error;
  }
}
