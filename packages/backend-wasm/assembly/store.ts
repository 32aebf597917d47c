import * as D from "../src/descriptor";
import { exp2, exp2Scalar, log2 } from "./exp2";
import { storeFloat16, storeFloat16Scalar } from "./float16";
import { FACTOR, HEAD, INDEX, LOG2_E, LOWEST, MAX, number, rowState, size, SUM, word } from "./rows";

/** ln 2. */
// @ts-ignore: decorator
@inline
const LN_2: f64 = 0.6931471805599453;

/**
 * Steps 5 and 6 for four rows: their outputs are divided by the denominators and stored, and the
 * log-sum-exps with them: see `finishRows`.
 *
 * @param rows how many of the four are there
 * @param output the rows' outputs so far, float32, `bytes` apart: padded to a multiple of four
 */
export function storeRows(
  d: usize,
  work: usize,
  r: i32,
  rows: i32,
  output: usize,
  bytes: usize,
): void {
  finishRows(d, work, r, rows);
  for (let lane = 0; lane < rows; lane++) {
    const factor = load<f32>(rowState(d, work, FACTOR, r + lane));
    storeScaled(d, outputRow(d, work, r + lane), output + bytes * <usize>lane, factor);
  }
}

/**
 * Step 5 for four rows: sinks join the denominators, and log-sum-exps are stored. Leaves in `FACTOR` the
 * factor that turns sums of weighted values into outputs and weights into their share: 0 for a row without
 * a visible key, NaN for a row that sees a score of NaN or +∞.
 *
 * @param rows how many of the four are there
 */
export function finishRows(d: usize, work: usize, r: i32, rows: i32): void {
  const sum = v128.load(rowState(d, work, SUM, r));
  // The largest score of a row has a weight of 1, so that no sum of some is 0. NaN counts as some.
  const some = f32x4.ne(sum, i32x4.splat(0));
  const one = f32x4.splat(1);
  let denominator = sum;
  let factor = one;
  if (word(d, D.sinksPointer)) {
    const nothing = f32x4.splat(-Infinity);
    const sink = sinksOf(d, work, r);
    const max = v128.bitselect(naturalMax(d, work, r), nothing, some);
    const top = f32x4.pmax(max, sink);
    const log2E = f32x4.splat(LOG2_E);
    const rescale = v128.and(exp2(f32x4.mul(f32x4.sub(max, top), log2E)), some);
    const share = exp2(f32x4.mul(f32x4.sub(sink, top), log2E));
    const has = f32x4.gt(sink, nothing);
    denominator = v128.bitselect(f32x4.add(f32x4.mul(sum, rescale), share), sum, has);
    factor = v128.bitselect(rescale, one, has);
  }
  if (word(d, D.logSumExpPointer)) storeLogSumExps(d, work, r, rows, denominator);
  v128.store(
    rowState(d, work, FACTOR, r),
    v128.and(f32x4.div(factor, denominator), some),
  );
}

/** The maxima of four rows as natural logits. */
// @ts-ignore: decorator
@inline
function naturalMax(d: usize, work: usize, r: i32): v128 {
  return f32x4.mul(
    v128.load(rowState(d, work, MAX, r)),
    f32x4.splat(number(d, D.naturalFactor)),
  );
}

/** The sinks of four rows' heads. */
function sinksOf(d: usize, work: usize, r: i32): v128 {
  return f32x4(
    sinkOf(d, work, r),
    sinkOf(d, work, r + 1),
    sinkOf(d, work, r + 2),
    sinkOf(d, work, r + 3),
  );
}

/** The sink of a row's head. */
// @ts-ignore: decorator
@inline
function sinkOf(d: usize, work: usize, r: i32): f32 {
  return load<f32>(size(d, D.sinksPointer) + 4 * load<usize>(rowState(d, work, HEAD, r)));
}

/** Log-sum-exps of four rows, in float64 from their maxima and denominators. */
function storeLogSumExps(d: usize, work: usize, r: i32, rows: i32, denominator: v128): void {
  const sinks = word(d, D.sinksPointer) != 0;
  // Denominators go where `FACTOR` will be, to be read one by one.
  v128.store(rowState(d, work, FACTOR, r), denominator);
  for (let lane = r; lane < r + rows; lane++) {
    const total = load<f32>(rowState(d, work, FACTOR, lane));
    const max = load<f32>(rowState(d, work, MAX, lane));
    const factor = number(d, D.naturalFactor);
    const some = load<f32>(rowState(d, work, SUM, lane)) != 0;
    let top = some ? <f64>max * <f64>factor : -Infinity;
    // As above, where a sink is the maximum unless it is the smaller float32.
    if (sinks && !(some && max * factor > sinkOf(d, work, lane))) top = <f64>sinkOf(d, work, lane);
    const index = load<usize>(rowState(d, work, INDEX, lane));
    store<f32>(size(d, D.logSumExpPointer) + 4 * index, <f32>logSumExp(top, total));
  }
}

/** `max + ln denominator`; −∞ for nothing, and NaN for NaN, which `log2` does not know. */
// @ts-ignore: decorator
@inline
function logSumExp(max: f64, denominator: f32): f64 {
  if (denominator == 0) return -Infinity;
  if (denominator != denominator) return NaN;
  return max + log2(<f64>denominator) * LN_2;
}

/** Where a row's output goes. */
export function outputRow(d: usize, work: usize, r: i32): usize {
  const at = load<usize>(rowState(d, work, INDEX, r)) * size(d, D.valueDim);
  return size(d, D.outputPointer) + at * (word(d, D.isFloat16) ? 2 : 4);
}

/** Stores a row of the output: float32 or float16. */
function storeScaled(d: usize, to: usize, from: usize, factor: f32): void {
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

/** Address of a row's partial result: its maximum, its sum, and its output, float32. */
// @ts-ignore: decorator
@inline
export function partialRow(d: usize, unit: i32, split: i32, r: i32): usize {
  const row = (unit * word(d, D.splits) + split) * word(d, D.blockRows) + r;
  return size(d, D.partialPointer) + 4 * <usize>row * (size(d, D.valueDim) + 2);
}

/** Keeps what a part of the keys gave for rows, whose outputs are `bytes` apart. */
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
    store<f32>(to, load<f32>(rowState(d, work, MAX, lane)));
    store<f32>(to + 4, load<f32>(rowState(d, work, SUM, lane)));
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
  store<f32>(rowState(d, work, MAX, r), max);
  store<f32>(rowState(d, work, SUM, r), sum);
}
