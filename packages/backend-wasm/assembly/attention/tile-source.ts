import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
import { widenRows } from "../math/float16";
import { dequantiseRows } from "../math/int8";
import { keyHead, sequence } from "./unit";
import { startOf } from "./row-state";

// A tile of keys or values as float32 rows: where it lies, or a copy in the workspace. Keys are those of the unit's
// sequence and key head. In pages, they lie in runs.

/** Bytes of a row of `n` float32, padded to a multiple of four. */
// @ts-ignore: decorator
@inline
export function paddedBytes(n: i32): usize {
  return 4 * <usize>((n + 3) & ~3);
}

/** Distance of keys or values in bytes, in place. The words of a tensor follow one another: see src/shared/attention.ts. */
export function strideInPlace(d: usize, pointer: usize): usize {
  return size(d, pointer + 12) << word(d, D.stored);
}

/** Distance of heads' keys or values in bytes, in place. */
export function headStrideInPlace(d: usize, pointer: usize): usize {
  return size(d, pointer + 8) << word(d, D.stored);
}

/** Address of key or value j, in place. */
export function addressInPlace(d: usize, pointer: usize, j: i32): usize {
  return elementOf(d, pointer, j, word(d, D.stored));
}

/** Address of the scale of key or value j. */
export function scaleAddress(d: usize, pointer: usize, j: i32): usize {
  return elementOf(d, pointer, j, D.storedFloat32);
}

/** Address of the first element that a tensor of keys, values or scales has for key j. */
function elementOf(d: usize, pointer: usize, j: i32, shift: usize): usize {
  let entry = sequence;
  const table = size(d, D.pageTablePointer);
  if (table) {
    const keys = word(d, D.pageSize);
    const page = j / keys;
    entry = load<i32>(table + 4 * <usize>(entry * word(d, D.pagesPerSequence) + page));
    j -= page * keys;
  } else {
    j += startOf(d, D.keyRowsPointer);
  }
  const at =
    <usize>entry * size(d, pointer + 4) +
    <usize>keyHead * size(d, pointer + 8) +
    <usize>j * size(d, pointer + 12);
  return size(d, pointer) + (at << shift);
}

/** Number of the keys `j ≤ k < to` that lie one after another, key j among them. */
export function runFrom(d: usize, j: i32, to: i32): i32 {
  if (!word(d, D.pageTablePointer)) return to - j;
  const keys = word(d, D.pageSize);
  return min(to - j, keys - (j % keys));
}

/** Whether the keys `from ≤ j < to` are not float32 rows one after another, so that they have to be copied. */
export function mustCopy(d: usize, from: i32, to: i32): bool {
  return word(d, D.stored) != D.storedFloat32 || runFrom(d, from, to) < to - from;
}

/**
 * Address of keys or values, from the first on, as float32 rows.
 *
 * @param pointer `D.keyPointer` or `D.valuePointer`
 * @param copies whether they are to be copied to `copy`
 */
export function tileAddress(
  d: usize,
  pointer: usize,
  first: i32,
  keys: i32,
  columns: i32,
  copies: bool,
  copy: usize,
): usize {
  if (!copies) return addressInPlace(d, pointer, first);
  const stride = strideInPlace(d, pointer);
  const bytes = paddedBytes(columns);
  const end = first + keys;
  let to = copy;
  while (first < end) {
    const run = runFrom(d, first, end);
    const from = addressInPlace(d, pointer, first);
    const stored = word(d, D.stored);
    if (stored == D.storedFloat32) {
      widenRows<f32>(from, stride, run, columns, to, bytes);
    } else if (stored == D.storedFloat16) {
      widenRows<u16>(from, stride, run, columns, to, bytes);
    } else {
      const scales = scalesOf(pointer);
      const scale = scaleAddress(d, scales, first);
      dequantiseRows(from, stride, run, columns, to, bytes, scale, scaleStride(d, scales));
    }
    to += bytes * <usize>run;
    first += run;
  }
  return copy;
}

/** Distance in bytes of the rows that `tileAddress` tells. */
export function tileStride(d: usize, pointer: usize, columns: i32, copies: bool): usize {
  return copies ? paddedBytes(columns) : strideInPlace(d, pointer);
}

/** The scales of keys or of values: `D.keyScalesPointer` or `D.valueScalesPointer`. */
export function scalesOf(pointer: usize): usize {
  return pointer == D.keyPointer ? D.keyScalesPointer : D.valueScalesPointer;
}

/** Distance of scales in bytes. */
export function scaleStride(d: usize, scales: usize): usize {
  return 4 * size(d, scales + 12);
}

/** Copies a query row of either dtype to a float32 row padded with zeros. */
export function copyQuery(d: usize, from: usize, to: usize): void {
  const columns = word(d, D.headDim);
  if (word(d, D.isFloat16)) widenRows<u16>(from, 0, 1, columns, to, 0);
  else widenRows<f32>(from, 0, 1, columns, to, 0);
}
