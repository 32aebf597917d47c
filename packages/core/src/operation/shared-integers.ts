/** Longest array that is shared: a table of so many pages. */
const longest = 16384;
let scratch = new Int32Array(64);

/** The latest copies, of which the one at `next` is replaced first. */
const kept: Int32Array[] = [];
const mostKept = 8;
let next = 0;

/** Room for integers of a call, at least so many; to be handed to {@link sharedIntegers} before the next call is bound. */
export function roomForIntegers(count: number): Int32Array {
  if (count > longest) return new Int32Array(count);
  if (count > scratch.length) scratch = new Int32Array(Math.min(longest, 2 * count));
  return scratch;
}

/**
 * The integers that were written to {@link roomForIntegers}, as an array of their own, which calls share as long
 * as they have the same: layers of a decoder repeat each other's lengths and tables of pages, keys and values go to
 * the same slots, and the offsets of a step are the lengths of the one before. Nobody may write to it.
 */
export function sharedIntegers(room: Int32Array, count: number): Int32Array {
  if (room !== scratch) return room;
  for (let i = 0; i < kept.length; i++) {
    const copy = kept[i] as Int32Array;
    if (copy.length === count && holdsScratch(copy)) return copy;
  }
  const copy = scratch.slice(0, count);
  kept[next] = copy;
  next = (next + 1) % mostKept;
  return copy;
}

function holdsScratch(copy: Int32Array): boolean {
  for (let i = 0; i < copy.length; i++) if (copy[i] !== scratch[i]) return false;
  return true;
}
