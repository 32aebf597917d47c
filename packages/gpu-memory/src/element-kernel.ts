import type { DeviceAccess } from "./access.js";
import { type ComputeDevice, type ComputePipeline, type GpuBuffer, tensorUsage } from "./gpu.js";
import { writeBytes } from "./write.js";

/** Invocations of a workgroup, and workgroups along x: as many as every device has. */
export const groupSize: number = 64;
export const mostGroups: number = 65535;

/** Bindings start at multiples of this on every device. */
const bindingAlignment = 256;

/** A buffer, or a part of one, that a kernel binds. */
export interface BoundBuffer<B extends GpuBuffer = GpuBuffer> {
  readonly buffer: B;
  readonly offset?: number;
  readonly size?: number;
}

/**
 * The part of a buffer that has the elements of a layout, which starts where a binding can.
 *
 * @param size bytes of an element
 * @returns the part, and the index of the layout's first element in it
 */
export function boundPart<B extends GpuBuffer>(
  buffer: B,
  { first, last, size }: { readonly first: number; readonly last: number; readonly size: number },
): { readonly bound: Required<BoundBuffer<B>>; readonly base: number } {
  const offset = Math.floor((first * size) / bindingAlignment) * bindingAlignment;
  const end = Math.ceil(((last + 1) * size) / 4) * 4;
  return { bound: { buffer, offset, size: end - offset }, base: first - offset / size };
}

/**
 * A kernel that moves elements without a look at their values: one for each number of elements in a word. A
 * call's numbers are in a buffer of their own, the last that is bound.
 */
export class ElementKernel<B extends GpuBuffer = GpuBuffer> {
  readonly #device: ComputeDevice<B>;
  readonly #access: DeviceAccess<B>;
  readonly #label: string;
  readonly #code: (perWord: number) => string;
  /** By elements of a word. */
  readonly #pipelines = new Map<number, ComputePipeline>();

  /** @param code of the kernel, whose entry point is `main`, for 1, 2 or 4 elements in a word */
  constructor(
    device: ComputeDevice<B>,
    access: DeviceAccess<B>,
    label: string,
    code: (perWord: number) => string,
  ) {
    this.#device = device;
    this.#access = access;
    this.#label = label;
    this.#code = code;
  }

  /**
   * Submits a run. Waits for nothing.
   *
   * @param what the run is, in errors
   * @param size bytes of an element
   * @returns a promise that rejects if the device refuses the run
   * @throws OutOfMemoryError, DeviceLostError
   */
  submit(
    what: string,
    size: number,
    bound: readonly BoundBuffer<B>[],
    numbers: Uint32Array,
    invocations: number,
  ): Promise<void> {
    const { pool, faults } = this.#access;
    const parameters = pool.acquireNow(numbers.byteLength, tensorUsage, "queue");
    const { accepted } = faults.watch(what, () => {
      const pipeline = this.#pipeline(4 / size);
      const { buffer } = parameters.pooled;
      writeBytes(
        this.#device,
        buffer,
        new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength),
      );
      const group = this.#device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [...bound, { buffer }].map((resource, binding) => ({ binding, resource })),
      });
      const encoder = this.#device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      const groups = Math.ceil(invocations / groupSize);
      pass.dispatchWorkgroups(Math.min(groups, mostGroups), Math.ceil(groups / mostGroups));
      pass.end();
      this.#device.queue.submit([encoder.finish()]);
    });
    // Submitted, so that whoever gets the buffer next writes to it later.
    pool.release(parameters.pooled);
    const all = Promise.all([parameters.accepted, accepted]).then(() => {});
    all.catch(() => {});
    return all;
  }

  #pipeline(perWord: number): ComputePipeline {
    let pipeline = this.#pipelines.get(perWord);
    if (!pipeline) {
      const label = this.#label;
      const module = this.#device.createShaderModule({ label, code: this.#code(perWord) });
      pipeline = this.#device.createComputePipeline({
        label,
        layout: "auto",
        compute: { module },
      });
      this.#pipelines.set(perWord, pipeline);
    }
    return pipeline;
  }
}

/** WGSL for an invocation's number within the whole dispatch. */
export const invocation: string = `id.x + id.y * ${mostGroups * groupSize}u`;
