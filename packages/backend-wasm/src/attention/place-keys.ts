import {
  type BoundAttention,
  type HostTensor,
  isDeviceTensor,
  slice,
  type Tensor,
} from "@heed/core";
import type { Arena } from "../memory/arena.js";
import type { PlacedTensor } from "../memory/placement.js";

/** Keys, values, their scales and their page table. */
export interface PlacedKeys {
  readonly key: PlacedTensor;
  readonly value: PlacedTensor;
  readonly keyScales: PlacedTensor | null;
  readonly valueScales: PlacedTensor | null;
  readonly pageTable: Int32Array | null;
}

/** Places keys and values. Of host tensors, keys that exist in no sequence are not copied. */
export function placeKeys(arena: Arena, bound: BoundAttention): PlacedKeys {
  const { key, value, keyScales, pageTable } = bound;
  if (keyScales === null && isDeviceTensor(key) && isDeviceTensor(value)) {
    // No closures for a cache: a step of a decoder comes through here.
    return {
      key: arena.place("key", key),
      value: arena.place("value", value),
      keyScales: null,
      valueScales: null,
      pageTable,
    };
  }
  return placeAny(arena, bound);
}

function placeAny(arena: Arena, bound: BoundAttention): PlacedKeys {
  const { problem, key, value, keyScales, valueScales, pageTable } = bound;
  const isHost = (t: Tensor | null): boolean => t === null || !isDeviceTensor(t);
  if (pageTable && [key, value, keyScales, valueScales].every(isHost)) {
    const used = [...new Set(pageTable)].filter((page) => page >= 0);
    const places = new Map(used.map((page, place) => [page, place]));
    const place = (t: Tensor) => arena.placeEntries(t as HostTensor, used);
    return {
      key: place(key),
      value: place(value),
      keyScales: keyScales && place(keyScales),
      valueScales: valueScales && place(valueScales),
      pageTable: pageTable.map((page) => places.get(page) ?? 0),
    };
  }
  const cut = problem.kvLengths && !problem.ragged && !pageTable;
  const longest = cut ? longestOf(bound) : problem.keyLength;
  const existing = (t: Tensor): Tensor =>
    !isDeviceTensor(t) && longest < problem.keyLength ? slice(t, 2, 0, longest) : t;
  const scales = (name: string, t: Tensor | null) => t && arena.placeBroadcast(name, existing(t));
  return {
    key: arena.place("key", existing(key)),
    value: arena.place("value", existing(value)),
    keyScales: scales("keyScales", keyScales),
    valueScales: scales("valueScales", valueScales),
    pageTable,
  };
}

/** Keys of the longest sequence. */
export function longestOf({ kvLengths }: BoundAttention): number {
  let longest = 0;
  for (const length of kvLengths) longest = Math.max(longest, length);
  return longest;
}
