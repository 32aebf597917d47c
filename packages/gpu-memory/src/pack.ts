import { bytesPerElement, elementCount } from "@heed/core";
import type { DeviceAccess } from "./access.js";
import { type ComputeDevice, type ComputePipeline, type GpuBuffer, tensorUsage } from "./gpu.js";
import type { Placed } from "./memory.js";
import type { PooledBuffer } from "./pool.js";
import { lastElement } from "./storage.js";
import { writeBytes } from "./write.js";

/** Invocations of a workgroup, and workgroups along x: as many as every device has. */
const groupSize = 64;
const mostGroups = 65535;

/** Bindings start at multiples of this on every device. */
const bindingAlignment = 256;

/** Copies tensors on a device into row-major order, for kernels that read no other layout. */
export class Packer<B extends GpuBuffer = GpuBuffer> {
  readonly #device: ComputeDevice<B>;
  readonly #access: DeviceAccess<B>;
  /** By elements of a word. */
  readonly #pipelines = new Map<number, ComputePipeline>();

  constructor(device: ComputeDevice<B>, access: DeviceAccess<B>) {
    this.#device = device;
    this.#access = access;
  }

  /**
   * Submits the copy of a tensor's elements. Waits for nothing.
   *
   * @returns a buffer of the pool with the elements from its start on, and a promise that rejects if the
   *   device refuses the copy
   * @throws OutOfMemoryError, DeviceLostError
   */
  pack({ layout, storage }: Placed<B>): {
    readonly pooled: PooledBuffer<B>;
    readonly accepted: Promise<void>;
  } {
    const { pool, faults } = this.#access;
    const size = bytesPerElement(storage.stored ?? layout.dtype);
    const count = elementCount(layout.shape);
    const words = Math.ceil((count * size) / 4);
    const from = Math.floor((layout.offset * size) / bindingAlignment) * bindingAlignment;
    const axes = Uint32Array.from([
      count,
      layout.offset - from / size,
      layout.shape.length,
      // The last axis first, as an index is taken apart.
      ...layout.shape.flatMap((n, axis) => [n, layout.strides[axis] as number]).reverse(),
    ]);
    const target = pool.acquireNow(words * 4, tensorUsage);
    if (count === 0)
      return { pooled: target.pooled, accepted: target.accepted ?? Promise.resolve() };
    const parameters = pool.acquireNow(axes.byteLength, tensorUsage, "queue");
    const end = Math.ceil(((lastElement(layout) + 1) * size) / 4) * 4;
    const { accepted } = faults.watch("copying a tensor into row-major order", () => {
      const pipeline = this.#pipeline(4 / size);
      writeBytes(this.#device, parameters.pooled.buffer, new Uint8Array(axes.buffer));
      const group = this.#device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [
          {
            binding: 0,
            resource: { buffer: storage.buffer, offset: from, size: end - from },
          },
          { binding: 1, resource: { buffer: target.pooled.buffer } },
          { binding: 2, resource: { buffer: parameters.pooled.buffer } },
        ],
      });
      const encoder = this.#device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      const groups = Math.ceil(words / groupSize);
      pass.dispatchWorkgroups(Math.min(groups, mostGroups), Math.ceil(groups / mostGroups));
      pass.end();
      this.#device.queue.submit([encoder.finish()]);
    });
    // Submitted, so that whoever gets the buffer next writes to it later.
    pool.release(parameters.pooled);
    const all = Promise.all([target.accepted, parameters.accepted, accepted]).then(() => {});
    all.catch(() => {});
    return { pooled: target.pooled, accepted: all };
  }

  #pipeline(perWord: number): ComputePipeline {
    let pipeline = this.#pipelines.get(perWord);
    if (!pipeline) {
      const module = this.#device.createShaderModule({ label: "heed pack", code: code(perWord) });
      pipeline = this.#device.createComputePipeline({
        label: "heed pack",
        layout: "auto",
        compute: { module },
      });
      this.#pipelines.set(perWord, pipeline);
    }
    return pipeline;
  }
}

/**
 * An invocation writes one word.
 *
 * @param perWord elements of a word: 1, 2 or 4
 */
function code(perWord: number): string {
  const bits = 32 / perWord;
  return `
@group(0) @binding(0) var<storage, read> given: array<u32>;
@group(0) @binding(1) var<storage, read_write> gathered: array<u32>;
// The number of elements, the index of the first, the number of axes; size and stride of each, the last
// axis first.
@group(0) @binding(2) var<storage, read> axes: array<u32>;

@compute @workgroup_size(${groupSize})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let word = id.x + id.y * ${mostGroups * groupSize}u;
  var whole = 0u;
  for (var k = 0u; k < ${perWord}u; k++) {
    var rest = word * ${perWord}u + k;
    if (rest >= axes[0]) { break; }
    var at = axes[1];
    for (var axis = 0u; axis < axes[2]; axis++) {
      let stride = axes[3u + 2u * axis];
      let size = axes[4u + 2u * axis];
      at += (rest % size) * stride;
      rest /= size;
    }
    let element = given[at / ${perWord}u] >> (at % ${perWord}u * ${bits % 32}u);
    whole |= (element & ${2 ** bits - 1}u) << (k * ${bits % 32}u);
  }
  if (word * ${perWord}u < axes[0]) { gathered[word] = whole; }
}
`;
}
