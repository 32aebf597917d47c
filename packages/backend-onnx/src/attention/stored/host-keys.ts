import type { HostTensor, KeyRange, TypedArray } from "@heed/core";
import { rowCopier } from "../../layout/copy-rows.js";
import type { Group } from "./groups.js";

/**
 * The keys or values of a group, one entry after another: what its rows see of each sequence, converted, and
 * zeros elsewhere.
 *
 * @param t keys or values as they are stored, of any layout
 * @param scales of int8
 * @param into `[entries, heads, keys, size]`
 */
export function gatherKeys(
  t: HostTensor,
  scales: HostTensor | null,
  group: Group,
  into: TypedArray,
): void {
  const [, heads, , size] = t.shape as [number, number, number, number];
  const copy = rowCopier(t, scales, into);
  const headSize = group.keys * size;
  for (const [b, { sequence, start }] of group.entries.entries()) {
    const sight = group.sights[b] as KeyRange;
    const to = Math.min(sight.end, sequence.keyLength);
    for (let h = 0; h < heads; h++) {
      const at = (b * heads + h) * headSize;
      const [first, behind] = [Math.max(0, sight.start - start), Math.max(0, to - start)];
      into.fill(0 as never, at, at + Math.min(first, group.keys) * size);
      into.fill(0 as never, at + Math.max(first, behind) * size, at + headSize);
    }
    sequence.forEachRun(sight.start, to, (j, entry, row, rows) => {
      for (let h = 0; h < heads; h++) {
        copy(entry, h, row, rows, (b * heads + h) * headSize + (j - start) * size);
      }
    });
  }
}
