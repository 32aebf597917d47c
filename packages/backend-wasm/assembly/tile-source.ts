import * as D from "../src/descriptor";
import { copyRows, widenRows } from "./float16";
import { size, word } from "./rows";

// A tile of keys or values as float32 rows: where it lies, or a copy in the workspace.

/** Bytes of a row of `n` float32, padded to a multiple of four. */
// @ts-ignore: decorator
@inline
export function paddedBytes(n: i32): usize {
  return 4 * <usize>((n + 3) & ~3);
}

/** Distance of rows in bytes, in place. */
// @ts-ignore: decorator
@inline
export function strideInPlace(d: usize, rowStride: usize): usize {
  return size(d, rowStride) * (word(d, D.isFloat16) ? 2 : 4);
}

/** Address of key or value j of key head g, in place. */
export function addressInPlace(d: usize, pointer: usize, b: i32, g: i32, j: i32): usize {
  // The words of a tensor follow one another: see descriptor.ts.
  const at =
    <usize>b * size(d, pointer + 4) +
    <usize>g * size(d, pointer + 8) +
    <usize>j * size(d, pointer + 12);
  return size(d, pointer) + at * (word(d, D.isFloat16) ? 2 : 4);
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
  if (word(d, D.isFloat16)) widenRows(from, fromStride, rows, columns, to, stride);
  else copyRows(from, fromStride, rows, columns, to, stride);
}
