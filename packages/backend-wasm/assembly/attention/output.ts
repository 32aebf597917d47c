import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
import { LOWEST } from "../math/constants";
import { storeFloat16, storeFloat16Scalar } from "../math/float16";
import { finishRows } from "./denominators";
import { FACTOR, INDEX, rowState, SUM } from "./row-state";

/**
 * Steps 5 and 6 for four rows: their outputs are divided by the denominators and stored, and the
 * log-sum-exps with them: see `finishRows`.
 *
 * @param rows how many of the four are there
 * @param output the rows' outputs so far, float32, `bytes` apart: padded to a multiple of four
 * @param means whether these are divided by the sums of weights already
 */
export function storeRows(
  d: usize,
  work: usize,
  r: i32,
  rows: i32,
  output: usize,
  bytes: usize,
  means: bool,
): void {
  finishRows(d, work, r, rows);
  for (let lane = 0; lane < rows; lane++) {
    const state = rowState(d, work, r + lane);
    let factor = load<f32>(state, FACTOR);
    if (means) factor *= load<f32>(state, SUM);
    storeScaled(d, outputRow(d, work, r + lane), output + bytes * <usize>lane, factor);
  }
}

/** Address of a row of the output. */
export function outputRow(d: usize, work: usize, r: i32): usize {
  const at = load<usize>(rowState(d, work, r), INDEX) * size(d, D.valueDim);
  return size(d, D.outputPointer) + at * (word(d, D.isFloat16) ? 2 : 4);
}

/** The finite number that is nearest; NaN of NaN. */
// @ts-ignore: decorator
@inline
export function clamped(x: f32): f32 {
  return max<f32>(LOWEST, min<f32>(-LOWEST, x));
}

/**
 * Mends a row of means, float32, of which some overflowed before they were divided: elements that are not finite become
 * twice their halves. If a half is finite, so are the values; where its double is not, rounding has taken the mean past
 * the largest finite number.
 */
export function mendRow(row: usize, halves: usize, columns: i32): void {
  const end = row + 4 * <usize>columns;
  while (row < end) {
    const x = load<f32>(row);
    if (x - x != 0) {
      const half = load<f32>(halves);
      const isFinite = half - half == 0;
      store<f32>(row, isFinite ? clamped(half + half) : half);
    }
    row += 4;
    halves += 4;
  }
}

/** Stores a row of the output: float32 or float16. */
export function storeScaled(d: usize, to: usize, from: usize, factor: f32): void {
  const columns = size(d, D.valueDim);
  const half = word(d, D.isFloat16) != 0;
  const factors = f32x4.splat(factor);
  const end = from + 4 * (columns & ~3);
  const last = from + 4 * columns;
  if (half) {
    while (from < end) {
      storeFloat16(to, f32x4.mul(v128.load(from), factors));
      from += 16;
      to += 8;
    }
    while (from < last) {
      storeFloat16Scalar(to, load<f32>(from) * factor);
      from += 4;
      to += 2;
    }
  } else {
    while (from < end) {
      v128.store(to, f32x4.mul(v128.load(from), factors));
      from += 16;
      to += 16;
    }
    while (from < last) {
      store<f32>(to, load<f32>(from) * factor);
      from += 4;
      to += 4;
    }
  }
}
