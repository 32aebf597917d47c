import * as D from "../../src/shared/merge";
import { size, word } from "../descriptor";
import { loadFloat16, loadFloat16Scalar, storeFloat16, storeFloat16Scalar } from "../math/float16";
import { nextRow } from "./rows";
import { weighParts } from "./weights";

/**
 * Merges partial attention, a whole call (Rabe & Staats, 2021, arXiv:2112.05682). Each row of all parts is read
 * once, and sums are in float64: the output is the exact sum rounded to float32, and from there to float16.
 *
 * @param d its descriptor: see src/shared/merge.ts
 */
export function mergeParts(d: usize): void {
  const columns = word(d, D.valueDim);
  const half = word(d, D.isFloat16) != 0;
  const entries = size(d, D.workPointer);
  let output = size(d, D.outputPointer);
  let logSumExp = size(d, D.logSumExpPointer);
  for (let row = word(d, D.rows); row > 0; row--) {
    const end = weighParts(d, entries, logSumExp);
    if (half) sumRows<u16>(entries, end, columns, output);
    else sumRows<f32>(entries, end, columns, output);
    output += <usize>columns * (half ? 2 : 4);
    logSumExp += 4;
    if (row > 1) nextRow(d);
  }
}

/**
 * Stores the weighted sum of the rows that are listed; zeros if none is.
 *
 * @typeParam T of an element: `u16` for float16, `f32`
 */
function sumRows<T>(entries: usize, end: usize, columns: i32, output: usize): void {
  const whole = sizeof<T>() * <usize>(columns & ~3);
  const all = sizeof<T>() * <usize>columns;
  let at: usize = 0;
  while (at < whole) {
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    let entry = entries;
    while (entry < end) {
      const from = load<usize>(entry) + at;
      const weight = v128.load64_splat(entry, 8);
      const x = isFloat<T>() ? v128.load(from) : loadFloat16(from);
      const upper = v128.shuffle<u64>(x, x, 1, 1);
      low = f64x2.add(low, f64x2.mul(weight, f64x2.promote_low_f32x4(x)));
      high = f64x2.add(high, f64x2.mul(weight, f64x2.promote_low_f32x4(upper)));
      entry += D.entryBytes;
    }
    const first = f32x4.demote_f64x2_zero(low);
    const sums = v128.shuffle<f32>(first, f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
    if (isFloat<T>()) v128.store(output + at, sums);
    else storeFloat16(output + at, sums);
    at += 4 * sizeof<T>();
  }
  while (at < all) {
    let sum: f64 = 0;
    let entry = entries;
    while (entry < end) {
      const from = load<usize>(entry) + at;
      sum += load<f64>(entry, 8) * <f64>(isFloat<T>() ? load<f32>(from) : loadFloat16Scalar(from));
      entry += D.entryBytes;
    }
    if (isFloat<T>()) store<f32>(output + at, <f32>sum);
    else storeFloat16Scalar(output + at, <f32>sum);
    at += sizeof<T>();
  }
}
