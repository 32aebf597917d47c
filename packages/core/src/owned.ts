/**
 * Tensors that a call makes on its way to a result, in host memory or in a backend's, for packages that are built on
 * core.
 *
 * @module
 */
import { scatter } from "./scatter/operation.js";
import type { Attention } from "./select/attention.js";
import { isDeviceTensor } from "./tensor/host-tensor.js";
import { rowMajorStrides } from "./tensor/layout.js";
import type { DeviceTensor, Tensor } from "./tensor/tensor.js";
import { contiguous, isContiguous, mergeHeads, splitHeads } from "./tensor/views.js";

/** Tensors that a call makes on its way, which go with it. */
export class Owned {
  readonly #tensors: DeviceTensor[] = [];

  /** @returns the tensor, which is disposed with the others if it is on a device */
  keep<T extends Tensor>(t: T): T {
    if (isDeviceTensor(t)) this.#tensors.push(t);
    return t;
  }

  /** Lets go of a tensor, which somebody else disposes. */
  release(t: Tensor): void {
    const at = this.#tensors.indexOf(t as DeviceTensor);
    if (at >= 0) this.#tensors.splice(at, 1);
  }

  dispose(): void {
    for (const t of this.#tensors) t.dispose();
    this.#tensors.length = 0;
  }
}

/** Parts of an attention that copy tensors where they are. */
export type Copying = Pick<Attention, "apply" | "allocate">;

/**
 * `[B, H, L, D]` as `[B, L, H·D]`. Host tensors are copied. On a device, one row is a view; several are
 * copied there, by a scatter into the view that splits the result.
 *
 * @param t row-major, if it is on a device
 * @throws UnsupportedError if the backend of `t` has no scatter
 */
export async function mergedHeads(attention: Copying, t: Tensor, owned: Owned): Promise<Tensor> {
  if (!isDeviceTensor(t)) return mergeHeads(t) as Tensor;
  const [batch, heads, length, size] = t.shape as [number, number, number, number];
  const shape = [batch, length, heads * size];
  if (length === 1 || heads === 1) {
    return owned.keep(
      t.view?.({ shape, strides: mergedStrides(t), offset: t.offset ?? 0 }) as Tensor,
    );
  }
  const all = owned.keep(attention.allocate(t.dtype, shape, { backend: t.backend }));
  await copyRows(attention, t, owned.keep(splitHeads(all, heads) as Tensor));
  return all;
}

/** Strides of merged heads of a row-major tensor that has one head or one row. */
function mergedStrides(t: Tensor): number[] {
  const [, , length, size] = t.shape as [number, number, number, number];
  const strides = t.strides ?? rowMajorStrides(t.shape);
  return [strides[0] as number, length === 1 ? size : (strides[2] as number), 1];
}

/**
 * `[B, H, L, D]` of any strides as a row-major tensor from the start of its memory: itself if it is in host memory
 * and row-major, and otherwise a copy where it is.
 *
 * @throws UnsupportedError if the backend of `t` has no scatter
 */
export async function rowMajorCopy(attention: Copying, t: Tensor, owned: Owned): Promise<Tensor> {
  if (!isDeviceTensor(t)) return isContiguous(t) ? t : (contiguous(t) as Tensor);
  const copy = owned.keep(attention.allocate(t.dtype, t.shape, { backend: t.backend }));
  await copyRows(attention, t, copy);
  return copy;
}

/**
 * Copies all rows of `[B, H, L, D]` into the first rows of a tensor on a device.
 *
 * @param target `[B, H, L or more, D]`, of any strides with which no two elements share memory
 * @throws UnsupportedError if the backend of `target` has no scatter
 */
export async function copyRows(
  attention: Pick<Copying, "apply">,
  source: Tensor,
  target: Tensor,
): Promise<void> {
  const [batch, , length] = source.shape as [number, number, number];
  const slots = Int32Array.from({ length: batch * length }, (_, i) => i % length);
  if (slots.length > 0) await attention.apply(scatter, { target, source, slots, paged: false });
}
