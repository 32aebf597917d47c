import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
import { widenRows } from "../math/float16";
import { allFinite } from "./kernels/guarded";

// A tile of keys or values as float32 rows: where it lies, or a copy in the workspace.

/** Bytes of a row of `n` float32, padded to a multiple of four. */
// @ts-ignore: decorator
@inline
export function paddedBytes(n: i32): usize {
  return 4 * <usize>((n + 3) & ~3);
}

/** Distance of keys or values in bytes, in place. The words of a tensor follow one another: see src/shared/attention.ts. */
// @ts-ignore: decorator
@inline
function strideInPlace(d: usize, pointer: usize): usize {
  return size(d, pointer + 12) * (word(d, D.isFloat16) ? 2 : 4);
}

/** Address of key or value j of key head g, in place. */
function addressInPlace(d: usize, pointer: usize, b: i32, g: i32, j: i32): usize {
  const at = <usize>b * size(d, pointer + 4) + <usize>g * size(d, pointer + 8);
  const head = size(d, pointer) + at * (word(d, D.isFloat16) ? 2 : 4);
  return head + <usize>j * strideInPlace(d, pointer);
}

/**
 * Address of `keys` keys or values of key head g, from the first on, as float32 rows.
 *
 * @param pointer `D.keyPointer` or `D.valuePointer`
 * @param packs whether they are to be copied to `copy`
 */
export function tileAddress(
  d: usize,
  pointer: usize,
  b: i32,
  g: i32,
  first: i32,
  keys: i32,
  columns: i32,
  packs: bool,
  copy: usize,
): usize {
  const place = addressInPlace(d, pointer, b, g, first);
  if (!packs) return place;
  packRows(d, place, strideInPlace(d, pointer), keys, columns, copy);
  return copy;
}

/** Distance in bytes of the rows that `tileAddress` tells. */
export function tileStride(d: usize, pointer: usize, columns: i32, packs: bool): usize {
  return packs ? paddedBytes(columns) : strideInPlace(d, pointer);
}

/** Whether the float32 values `first ≤ j < last` of key head g have neither infinities nor NaN. */
export function valuesFinite(d: usize, b: i32, g: i32, first: i32, last: i32): bool {
  const columns = word(d, D.valueDim);
  const from = addressInPlace(d, D.valuePointer, b, g, first);
  return allFinite(from, strideInPlace(d, D.valuePointer), last - first, columns);
}

/** Copies rows of either dtype to float32 rows padded with zeros. */
export function packRows(
  d: usize,
  from: usize,
  fromStride: usize,
  rows: i32,
  columns: i32,
  to: usize,
): void {
  const stride = paddedBytes(columns);
  if (word(d, D.isFloat16)) widenRows<u16>(from, fromStride, rows, columns, to, stride);
  else widenRows<f32>(from, fromStride, rows, columns, to, stride);
}
