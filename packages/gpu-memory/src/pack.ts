import { bytesPerElement, elementCount } from "@heed/core";
import type { DeviceAccess } from "./access.js";
import { boundPart, ElementKernel, groupSize, invocation } from "./element-kernel.js";
import { type ComputeDevice, type GpuBuffer, tensorUsage } from "./gpu.js";
import type { Placed } from "./memory.js";
import type { PooledBuffer } from "./pool.js";
import { lastElement } from "./storage.js";

/** Copies tensors on a device into row-major order, for kernels that read no other layout. */
export class Packer<B extends GpuBuffer = GpuBuffer> {
  readonly #access: DeviceAccess<B>;
  readonly #kernel: ElementKernel<B>;

  constructor(device: ComputeDevice<B>, access: DeviceAccess<B>) {
    this.#access = access;
    this.#kernel = new ElementKernel(device, access, "heed pack", code);
  }

  /**
   * Submits the copy of a tensor's elements.
   *
   * @param after what has to come before the submission; null submits now
   * @returns a buffer of the pool with the elements from its start on, and a promise that rejects if the
   *   device refuses the copy
   * @throws OutOfMemoryError, DeviceLostError
   */
  pack(
    { layout, storage }: Placed<B>,
    after: Promise<unknown> | null = null,
  ): {
    readonly pooled: PooledBuffer<B>;
    readonly accepted: Promise<void>;
  } {
    const size = bytesPerElement(storage.stored ?? layout.dtype);
    const count = elementCount(layout.shape);
    const words = Math.ceil((count * size) / 4);
    const target = this.#access.pool.acquireNow(words * 4, tensorUsage);
    if (count === 0)
      return { pooled: target.pooled, accepted: target.accepted ?? Promise.resolve() };
    const { bound, base } = boundPart(storage.buffer, {
      first: layout.offset,
      last: lastElement(layout),
      size,
    });
    const axes = Uint32Array.from([
      count,
      base,
      layout.shape.length,
      // The last axis first, as an index is taken apart.
      ...layout.shape.flatMap((n, axis) => [n, layout.strides[axis] as number]).reverse(),
    ]);
    const what = "copying a tensor into row-major order";
    const buffers = [bound, { buffer: target.pooled.buffer }];
    const submit = (): Promise<void> => this.#kernel.submit(what, size, buffers, axes, words);
    const accepted = after === null ? submit() : after.then(submit);
    const all = Promise.all([target.accepted, accepted]).then(() => {});
    all.catch(() => {});
    return { pooled: target.pooled, accepted: all };
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
  let word = ${invocation};
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
