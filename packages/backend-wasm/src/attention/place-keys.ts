import {
  type AttentionProblem,
  type BoundAttention,
  type HostTensor,
  isDeviceTensor,
  slice,
  type Tensor,
} from "@heed/core";
import type { Arena } from "../memory/arena.js";
import type { PlacedTensor, RowRange } from "../memory/placement.js";
import { type ReadKeys, readKeys, unionOf } from "./read-keys.js";

/** Keys, values, their scales, and where each sequence's lie. */
export interface PlacedKeys {
  readonly key: PlacedTensor;
  readonly value: PlacedTensor;
  readonly keyScales: PlacedTensor | null;
  readonly valueScales: PlacedTensor | null;
  readonly pageTable: Int32Array | null;
  /** `[sequences]`: the row at which each sequence's key 0 lies, or would lie if it were copied; null: row 0. */
  readonly keyRows: Int32Array | null;
}

/**
 * Places keys and values. Of host tensors, those keys are copied that some row of the call may see, and in pages the
 * pages that have any.
 *
 * @param programs keys that programs leave of each sequence; null without any
 */
export function placeKeys(
  arena: Arena,
  bound: BoundAttention,
  programs: ReadKeys | null,
): PlacedKeys {
  const { problem, key, value, keyScales, valueScales, pageTable, keyStarts } = bound;
  if (keyScales === null && isDeviceTensor(key) && isDeviceTensor(value)) {
    // No closures for a cache: a step of a decoder comes through here.
    return {
      key: arena.place("key", key),
      value: arena.place("value", value),
      keyScales: null,
      valueScales: null,
      pageTable,
      keyRows: keyStarts,
    };
  }
  if (seesAll(problem)) return placeBetween(arena, bound, 0, problem.keyLength);
  const read = readKeys(bound, programs);
  if ([key, value, keyScales, valueScales].some((t) => t !== null && isDeviceTensor(t))) {
    // Tensors of a device stay in their places, so that the others begin with key 0, too.
    const cuts = !problem.ragged?.keys && pageTable === null;
    return placeBetween(arena, bound, 0, cuts ? unionOf(read).end : problem.keyLength);
  }
  const host = bound as BoundAttention<HostTensor>;
  return pageTable ? placePages(arena, host, pageTable, read) : placeRead(arena, host, read);
}

/** Whether no rule hides all of a key, whatever the call's numbers: nearly every call of a short sequence. */
function seesAll(problem: AttentionProblem): boolean {
  const { kvLengths, ragged, pages, causal, window, maskMod, blockMask } = problem;
  if (kvLengths || ragged !== null || pages !== null) return false;
  return !causal && window === null && maskMod === null && blockMask === null;
}

/** Places the keys `start ≤ j < end` of host tensors, the same of each batch entry, and device tensors as they are. */
function placeBetween(arena: Arena, bound: BoundAttention, start: number, end: number): PlacedKeys {
  const { problem, pageTable, keyStarts } = bound;
  const whole = end - start === problem.keyLength;
  const tensors = placeEach(bound, (t, name) => {
    const part = whole || isDeviceTensor(t) ? t : slice(t, 2, start, end);
    // Scales are read one by one, at any distance.
    return part.shape.length === 3 ? arena.placeBroadcast(name, part) : arena.place(name, part);
  });
  const keyRows = start === 0 ? keyStarts : new Int32Array(problem.sequences).fill(-start);
  return { ...tensors, pageTable, keyRows };
}

function placePages(
  arena: Arena,
  bound: BoundAttention<HostTensor>,
  pageTable: Int32Array,
  read: ReadKeys,
): PlacedKeys {
  const { perSequence, size } = bound.problem.pages as { perSequence: number; size: number };
  const places = new Map<number, number>();
  const placed = new Int32Array(pageTable.length);
  for (const [s, { start, end }] of read.entries()) {
    if (end <= start) continue;
    const last = Math.floor((end - 1) / size);
    for (let run = Math.floor(start / size); run <= last; run++) {
      const at = s * perSequence + run;
      const page = pageTable[at] as number;
      const place = places.get(page) ?? places.size;
      places.set(page, place);
      placed[at] = place;
    }
  }
  const pages = [...places.keys()];
  const tensors = placeEach(bound, (t) => arena.placeEntries(t, pages));
  return { ...tensors, pageTable: placed, keyRows: null };
}

function placeRead(arena: Arena, bound: BoundAttention<HostTensor>, read: ReadKeys): PlacedKeys {
  const { keyLength, ragged, batch } = bound.problem;
  const { key, value, keyScales, valueScales } = bound;
  const total = read.reduce((sum, { start, end }) => sum + end - start, 0);
  if (ragged?.keys) {
    if (total < keyLength) return gatherRows(arena, bound, read, total);
    return placeBetween(arena, bound, 0, keyLength);
  }
  const { start, end } = unionOf(read);
  // Ranges that differ are gathered, unless batch entries share what is stored once.
  const shared = [key, value, keyScales, valueScales].some((t) => t?.strides[0] === 0);
  if (total < batch * (end - start) && !shared) return gatherRows(arena, bound, read, total);
  return placeBetween(arena, bound, start, end);
}

/** Copies the keys of sequence after sequence, as a ragged batch has them. */
function gatherRows(
  arena: Arena,
  bound: BoundAttention<HostTensor>,
  read: ReadKeys,
  total: number,
): PlacedKeys {
  const { keyStarts } = bound;
  const keyRows = new Int32Array(read.length);
  const ranges: RowRange[] = [];
  let before = 0;
  for (const [s, { start, end }] of read.entries()) {
    const first = keyStarts ? (keyStarts[s] as number) : 0;
    keyRows[s] = before - start;
    ranges.push({ entry: keyStarts ? 0 : s, from: first + start, to: first + end });
    before += end - start;
  }
  const tensors = placeEach(bound, (t) => arena.placeRows(t, ranges, total));
  return { ...tensors, pageTable: null, keyRows };
}

function placeEach<T extends Tensor>(
  { key, value, keyScales, valueScales }: BoundAttention<T>,
  place: (t: T, name: string) => PlacedTensor,
) {
  return {
    key: place(key, "key"),
    value: place(value, "value"),
    keyScales: keyScales && place(keyScales, "keyScales"),
    valueScales: valueScales && place(valueScales, "valueScales"),
  };
}

/** Keys of the longest sequence. */
export function longestOf({ kvLengths }: BoundAttention): number {
  let longest = 0;
  for (const length of kvLengths) longest = Math.max(longest, length);
  return longest;
}
