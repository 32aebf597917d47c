import * as D from "../../src/shared/attention";
import { number, size, word } from "../descriptor";
import { LOWEST } from "../math/constants";
import { exp2Scalar } from "../math/exp2";
import { MAX, rowState, SUM } from "./row-state";

// Partial results of rows whose keys are split into parts.

/** Address of a row's partial result: its maximum, its sum, and its output, float32. */
// @ts-ignore: decorator
@inline
export function partialRow(d: usize, unit: i32, split: i32, r: i32): usize {
  const row = (unit * word(d, D.splits) + split) * word(d, D.blockRows) + r;
  return size(d, D.partialPointer) + 4 * <usize>row * (size(d, D.valueDim) + 2);
}

/** Stores the partial results of rows, whose outputs are `bytes` apart. */
export function storePartials(
  d: usize,
  work: usize,
  unit: i32,
  split: i32,
  r: i32,
  rows: i32,
  output: usize,
  bytes: usize,
): void {
  for (let lane = r; lane < r + rows; lane++) {
    const to = partialRow(d, unit, split, lane);
    store<f32>(to, load<f32>(rowState(d, work, lane), MAX));
    store<f32>(to + 4, load<f32>(rowState(d, work, lane), SUM));
    memory.copy(to + 8, output, 4 * size(d, D.valueDim));
    output += bytes;
  }
}

/**
 * Merges the parts of a row: Σ output_s · 2^(factor · (max_s − max)), and the sums alike. The parts are
 * taken in order, whichever thread computed them.
 *
 * @param output where the row's output is to go, float32
 */
export function mergeRow(d: usize, work: usize, unit: i32, r: i32, output: usize): void {
  const splits = word(d, D.splits);
  let max = LOWEST;
  for (let s = 0; s < splits; s++) {
    const seen = load<f32>(partialRow(d, unit, s, r));
    if (seen > max) max = seen;
  }
  const columns = word(d, D.valueDim);
  memory.fill(output, 0, 4 * <usize>columns);
  let sum: f32 = 0;
  for (let s = 0; s < splits; s++) {
    const from = partialRow(d, unit, s, r);
    // A part that saw nothing has a sum of 0 and an output of 0.
    const factor = exp2Scalar((load<f32>(from) - max) * number(d, D.logitFactor));
    sum += load<f32>(from + 4) * factor;
    for (let c = 0; c < columns; c++) {
      const at = 4 * <usize>c;
      store<f32>(output + at, load<f32>(output + at) + factor * load<f32>(from + 8 + at));
    }
  }
  store<f32>(rowState(d, work, r), max, MAX);
  store<f32>(rowState(d, work, r), sum, SUM);
}
