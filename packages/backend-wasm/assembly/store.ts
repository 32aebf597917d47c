import * as D from "../src/descriptor";
import { exp2Scalar, log2 } from "./exp2";
import { storeFloat16, storeFloat16Scalar } from "./float16";
import { HEAD, INDEX, LOG2_E, LOWEST, MAX, number, rowState, size, SUM, word } from "./rows";

/** ln 2. */
// @ts-ignore: decorator
@inline
const LN_2: f64 = 0.6931471805599453;

/**
 * Steps 5 and 6 for one row: the sink joins, the output is divided by the denominator and stored, and
 * the log-sum-exp with it. Leaves the maximum of all in `MAX` and the denominator's inverse in `SUM`,
 * 0 for a row without a visible key, for the weights.
 *
 * @param output the row's output so far, float32, padded to a multiple of four
 */
export function storeRow(d: usize, work: usize, r: i32, output: usize): void {
  const maxAt = rowState(d, work, MAX, r);
  const sumAt = rowState(d, work, SUM, r);
  const seen = load<f32>(maxAt);
  const sum = load<f32>(sumAt);
  const sinks = size(d, D.sinksPointer);
  let max = sum > 0 ? seen : -Infinity;
  let denominator = sum;
  let factor: f32 = 1;
  if (sinks) {
    const sink = load<f32>(sinks + 4 * load<usize>(rowState(d, work, HEAD, r))) * LOG2_E;
    if (sink > -Infinity) {
      const both = sum > 0 && seen > sink ? seen : sink;
      factor = sum > 0 ? exp2Scalar(seen - both) : 0;
      denominator = sum * factor + exp2Scalar(sink - both);
      max = both;
    }
  }
  // NaN, from values or keys that are NaN themselves, is handed on.
  const empty = sum == 0;
  const index = load<usize>(rowState(d, work, INDEX, r));
  const logSumExp = size(d, D.logSumExpPointer);
  if (logSumExp) {
    store<f32>(logSumExp + 4 * index, <f32>naturalLogSumExp(max, denominator));
  }
  store<f32>(maxAt, empty ? LOWEST : max);
  store<f32>(sumAt, empty ? 0 : 1 / denominator);
  storeScaled(d, index, output, empty ? 0 : factor / denominator);
}

/**
 * Back from base 2. To that base the lowest float32s have no number, and are held at `LOWEST`: what is
 * there comes from a row whose every key has such a bias.
 */
// @ts-ignore: decorator
@inline
function naturalLogSumExp(max: f32, denominator: f32): f64 {
  if (max == -Infinity) return -Infinity;
  if (max == LOWEST) return <f64>LOWEST;
  return (<f64>max + log2(<f64>denominator)) * LN_2;
}

/** Stores a row of the output: float32 or float16. */
function storeScaled(d: usize, index: usize, from: usize, factor: f32): void {
  const columns = size(d, D.valueDim);
  const half = word(d, D.isFloat16) != 0;
  let to = size(d, D.outputPointer) + index * columns * (half ? 2 : 4);
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

/** Address of a row's partial result: its maximum, its sum, and its output, float32. */
// @ts-ignore: decorator
@inline
export function partialRow(d: usize, unit: i32, split: i32, r: i32): usize {
  const row = (unit * word(d, D.splits) + split) * word(d, D.blockRows) + r;
  return size(d, D.partialPointer) + 4 * <usize>row * (size(d, D.valueDim) + 2);
}

/** Keeps what a part of the keys gave for a row. */
export function storePartial(d: usize, work: usize, unit: i32, split: i32, r: i32, output: usize): void {
  const to = partialRow(d, unit, split, r);
  store<f32>(to, load<f32>(rowState(d, work, MAX, r)));
  store<f32>(to + 4, load<f32>(rowState(d, work, SUM, r)));
  memory.copy(to + 8, output, 4 * size(d, D.valueDim));
}

/**
 * Merges the parts of a row: Σ output_s · 2^(max_s − max), and the sums alike. The parts are taken in
 * order, whoever computed them.
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
    const factor = exp2Scalar(load<f32>(from) - max);
    sum += load<f32>(from + 4) * factor;
    for (let c = 0; c < columns; c++) {
      const at = 4 * <usize>c;
      store<f32>(output + at, load<f32>(output + at) + factor * load<f32>(from + 8 + at));
    }
  }
  store<f32>(rowState(d, work, MAX, r), max);
  store<f32>(rowState(d, work, SUM, r), sum);
}
