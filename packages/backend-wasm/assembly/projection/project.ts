import * as D from "../../src/shared/projection";
import { size, word } from "../descriptor";
import { loadFloat16, loadFloat16Scalar } from "../math/float16";
import { fourRows, oneRow, storeSum, sum0, sum1, sum2, sum3, twoByFour } from "./sums";

/**
 * A projection of some outputs. A few rows read each row of the weight once, in order, since memory is the
 * limit; blocks of more rows share what a cache holds of the weight.
 *
 * @param d its descriptor: see src/shared/projection.ts
 * @param work room for a block of the input and two rows of the weight as float32, where they are float16
 * @param item which outputs: `itemOutputs` of them, or those that are left
 */
export function project(d: usize, work: usize, item: i32): void {
  const first = item * word(d, D.itemOutputs);
  const last = min(first + word(d, D.itemOutputs), word(d, D.outputSize));
  const rows = word(d, D.rows);
  const block = word(d, D.blockRows);
  for (let from = 0; from < rows; from += block) {
    projectBlock(d, work, first, last, from, min(from + block, rows));
  }
}

function projectBlock(d: usize, work: usize, first: i32, last: i32, from: i32, to: i32): void {
  const count = word(d, D.inputSize);
  const half = word(d, D.isFloat16) != 0;
  const bytes = 4 * <usize>count;
  const widened = work + <usize>(to - from) * bytes;
  if (half) {
    for (let r = from; r < to; r++) widen(inputRow(d, r), count, work + <usize>(r - from) * bytes);
  }
  const single = to - from == 1 && !word(d, D.isInvariant);
  const few = to - from <= D.panelRows;
  const stride = size(d, D.weightStride);
  let weight = size(d, D.weightPointer) + <usize>first * stride;
  let o = first;
  while (o < last) {
    // A last output without a neighbour is computed by itself.
    const pair = !few && o + 1 < last;
    let w = weight;
    let next = weight + stride;
    if (half) {
      w = widened;
      widen(weight, count, w);
      if (pair) {
        widen(next, count, widened + bytes);
        next = widened + bytes;
      }
    }
    for (let r = from; r < to; r += D.panelRows) {
      const x0 = half ? work + <usize>(r - from) * bytes : inputRow(d, r);
      if (single) {
        storeSum(d, o, r, oneRow(x0, w, bytes));
        continue;
      }
      // Rows that there are not are the first one again, and are not stored.
      const x1 = to < r + 2 ? x0 : half ? x0 + bytes : inputRow(d, r + 1);
      const x2 = to < r + 3 ? x0 : half ? x0 + 2 * bytes : inputRow(d, r + 2);
      const x3 = to < r + 4 ? x0 : half ? x0 + 3 * bytes : inputRow(d, r + 3);
      if (pair) twoByFour(d, o + 1, r, to, x0, x1, x2, x3, w, next, bytes);
      else fourRows(x0, x1, x2, x3, w, bytes);
      storeSum(d, o, r, sum0);
      if (r + 1 < to) storeSum(d, o, r + 1, sum1);
      if (r + 2 < to) storeSum(d, o, r + 2, sum2);
      if (r + 3 < to) storeSum(d, o, r + 3, sum3);
    }
    o += pair ? 2 : 1;
    weight += pair ? 2 * stride : stride;
  }
}

/** Address of a row of the input. */
function inputRow(d: usize, r: i32): usize {
  const length = word(d, D.length);
  const b = r / length;
  return (
    size(d, D.inputPointer) +
    <usize>b * size(d, D.inputBatchStride) +
    <usize>(r - b * length) * size(d, D.inputRowStride)
  );
}

/** A row of float16 as float32. */
function widen(from: usize, count: i32, to: usize): void {
  const end = to + 4 * <usize>count;
  const fours = to + (<usize>(4 * count) & ~15);
  while (to < fours) {
    v128.store(to, loadFloat16(from));
    from += 8;
    to += 16;
  }
  while (to < end) {
    store<f32>(to, loadFloat16Scalar(from));
    from += 2;
    to += 4;
  }
}
