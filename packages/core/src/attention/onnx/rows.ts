import type { BoundScatter } from "../../scatter/bind.js";
import { scatter } from "../../scatter/operation.js";
import { scatterRows } from "../../scatter/rows.js";
import type { HostTensor, Tensor } from "../../tensor/tensor.js";

/**
 * Writes consecutive rows of each batch entry into a target in host memory, in place.
 *
 * @param target `[batch, heads, rows, size]`
 * @param source `[batch, heads, n, size]`, of any strides
 * @param from first row of the target, one a batch entry
 * @param counts how many of the source's first rows are written, one a batch entry; default all
 */
export function writeRows(
  target: HostTensor,
  source: HostTensor,
  from: Int32Array,
  counts?: Int32Array,
): void {
  const slots = rowSlots(source, from, counts);
  if (slots.length === 0) return;
  const call = { target, source, slots, paged: false };
  scatterRows(scatter.bind(scatter.describe(call), call) as BoundScatter<HostTensor>);
}

/** The slots of {@link writeRows}, `[batch, n]`. */
export function rowSlots(source: Tensor, from: Int32Array, counts?: Int32Array): Int32Array {
  const [batch, , n] = source.shape as [number, number, number];
  const slots = new Int32Array(batch * n);
  for (let b = 0; b < batch; b++) {
    const count = counts?.[b] ?? n;
    for (let i = 0; i < n; i++) slots[b * n + i] = i < count ? (from[b] as number) + i : -1;
  }
  return slots;
}
