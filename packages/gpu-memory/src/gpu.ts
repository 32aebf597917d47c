/**
 * The parts of WebGPU that this package uses, spelled out: not every project that depends on it has
 * WebGPU's types. A `GPUBuffer` and a `GPUDevice` are assignable to these.
 */
export interface GpuBuffer {
  readonly size: number;
  readonly usage: number;
  destroy(): void;
  mapAsync(mode: number, offset?: number, size?: number): Promise<unknown>;
  getMappedRange(offset?: number, size?: number): ArrayBuffer;
  unmap(): void;
}

/** A part of `GPUDevice`. @typeParam B its buffers */
export interface GpuDevice<B extends GpuBuffer = GpuBuffer> {
  readonly limits: {
    readonly maxBufferSize: number;
    /** Left out, buffers may be bound whole, whatever their size. */
    readonly maxStorageBufferBindingSize?: number;
  };
  readonly lost: Promise<{ readonly reason?: string; readonly message?: string }>;
  readonly queue: {
    // biome-ignore lint/suspicious/noExplicitAny: command buffers are passed on unseen
    submit(commands: any[]): void;
    writeBuffer(buffer: B, at: number, data: ArrayBuffer, dataAt?: number, size?: number): void;
  };
  createBuffer(descriptor: {
    readonly label?: string;
    readonly size: number;
    readonly usage: number;
  }): B;
  createCommandEncoder(): {
    copyBufferToBuffer(from: B, fromAt: number, to: B, toAt: number, bytes: number): void;
    clearBuffer(buffer: B): void;
    finish(): unknown;
  };
  pushErrorScope(filter: "out-of-memory" | "validation" | "internal"): void;
  popErrorScope(): Promise<GpuError | null>;
}

/** A device that also runs shaders. */
export interface ComputeDevice<B extends GpuBuffer = GpuBuffer> extends GpuDevice<B> {
  createShaderModule(descriptor: { readonly label?: string; readonly code: string }): unknown;
  createComputePipeline(descriptor: {
    readonly label?: string;
    readonly layout: "auto";
    // biome-ignore lint/suspicious/noExplicitAny: shader modules are passed on unseen
    readonly compute: { readonly module: any };
  }): ComputePipeline;
  createBindGroup(descriptor: {
    // biome-ignore lint/suspicious/noExplicitAny: layouts are passed on unseen
    readonly layout: any;
    readonly entries: {
      readonly binding: number;
      readonly resource: {
        readonly buffer: B;
        readonly offset?: number;
        readonly size?: number;
      };
    }[];
  }): unknown;
  createCommandEncoder(): ReturnType<GpuDevice<B>["createCommandEncoder"]> & {
    beginComputePass(): ComputePass;
  };
}

/** A part of `GPUComputePipeline`. */
export interface ComputePipeline {
  getBindGroupLayout(index: number): unknown;
}

/** A part of `GPUComputePassEncoder`. */
interface ComputePass {
  // biome-ignore lint/suspicious/noExplicitAny: pipelines are passed on unseen
  setPipeline(pipeline: any): void;
  // biome-ignore lint/suspicious/noExplicitAny: bind groups are passed on unseen
  setBindGroup(index: number, group: any): void;
  dispatchWorkgroups(x: number, y?: number): void;
  end(): void;
}

/** A part of `GPUError`. */
export interface GpuError {
  readonly message: string;
}

/** Members of `GPUBufferUsage`, which Node does not have as a global. */
export const usage = {
  mapRead: 0x1,
  copySource: 0x4,
  copyTarget: 0x8,
  uniform: 0x40,
  storage: 0x80,
} as const;

/** `GPUMapMode.READ`. */
export const mapRead = 0x1;

/** Usage of the buffers of tensors and workspaces. */
export const tensorUsage: number = usage.storage | usage.copySource | usage.copyTarget;

/** Usage of the buffers that results are read through. */
export const stagingUsage: number = usage.mapRead | usage.copyTarget;
