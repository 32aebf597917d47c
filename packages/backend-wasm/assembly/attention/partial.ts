import * as D from "../../src/shared/attention";
import { number, size, word } from "../descriptor";
import { LOWEST } from "../math/constants";
import { exp2Scalar } from "../math/exp2";
import { allFinite } from "./kernels/guarded";
import { clamped } from "./output";
import { MAX, stateOf, SUM } from "./row-state";
import { partialStart } from "./unit";

// Partial results of rows whose keys are split into parts.

/** Address of the partial result of a row of the selected key head: its maximum, its sum, and its output divided by the sum, float32. */
export function partialRow(d: usize, unit: i32, split: i32, r: i32): usize {
  const row = (unit * word(d, D.splits) + split) * word(d, D.partialRows) + partialStart + r;
  return size(d, D.partialPointer) + 4 * <usize>row * (size(d, D.valueDim) + 2);
}

/** Address of its output. */
export function partialOutput(d: usize, unit: i32, split: i32, r: i32): usize {
  return partialRow(d, unit, split, r) + 8;
}

/** Stores the partial results of rows, whose outputs, divided by their sums of weights, are `bytes` apart. */
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
    store<f32>(to, load<f32>(stateOf(d, work, lane), MAX));
    store<f32>(to + 4, load<f32>(stateOf(d, work, lane), SUM));
    memory.copy(to + 8, output, 4 * size(d, D.valueDim));
    output += bytes;
  }
}

/**
 * Merges the parts of a row: the mean of their outputs, each of which has the weight sum_s · 2^(factor · (max_s − max)).
 * The parts are taken in order, whichever thread computed them.
 *
 * @param output where the row's output, divided by the sum of all weights, is to go, float32
 */
export function mergeRow(d: usize, work: usize, unit: i32, r: i32, output: usize): void {
  const splits = word(d, D.splits);
  let max = LOWEST;
  for (let s = 0; s < splits; s++) {
    const seen = load<f32>(partialRow(d, unit, s, r));
    if (seen > max) max = seen;
  }
  let sum: f32 = 0;
  for (let s = 0; s < splits; s++) sum += weightOf(d, partialRow(d, unit, s, r), max);
  const columns = word(d, D.valueDim);
  memory.fill(output, 0, 4 * <usize>columns);
  for (let s = 0; s < splits; s++) {
    const from = partialRow(d, unit, s, r);
    // A part that saw nothing has a weight and an output of 0.
    const weight = weightOf(d, from, max);
    const share = weight == 0 ? <f32>0 : weight / sum;
    for (let c = 0; c < columns; c++) {
      const at = 4 * <usize>c;
      store<f32>(output + at, load<f32>(output + at) + share * load<f32>(from + 8 + at));
    }
  }
  if (!allFinite(output, 0, 1, columns)) bringBack(d, unit, r, output);
  store<f32>(stateOf(d, work, r), max, MAX);
  store<f32>(stateOf(d, work, r), sum, SUM);
}

/**
 * Replaces infinities in the columns of a merged row in which every part is finite: rounding has taken the sum of the parts'
 * shares past 1, and the mean is the largest finite number to within that.
 */
function bringBack(d: usize, unit: i32, r: i32, output: usize): void {
  const splits = word(d, D.splits);
  const columns = word(d, D.valueDim);
  for (let c = 0; c < columns; c++) {
    const at = 4 * <usize>c;
    let finite = true;
    for (let s = 0; s < splits; s++) {
      finite = finite && allFinite(partialRow(d, unit, s, r) + 8 + at, 0, 1, 1);
    }
    if (finite) store<f32>(output + at, clamped(load<f32>(output + at)));
  }
}

/** The weight of a part among those of its row. */
function weightOf(d: usize, partial: usize, max: f32): f32 {
  return load<f32>(partial, 4) * exp2Scalar((load<f32>(partial) - max) * number(d, D.logitFactor));
}
