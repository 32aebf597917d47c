import * as D from "../../src/shared/attention";
import { number, size, word } from "../descriptor";
import { LN_2, LOG2_E } from "../math/constants";
import { exp2, log2 } from "../math/exp2";
import { FACTOR, HEAD, INDEX, MAX, stateOf, SUM } from "./row-state";

/**
 * Step 5 for four rows: sinks join the denominators, and log-sum-exps are stored. Leaves in `FACTOR` the
 * factor that turns sums of weighted values into outputs and weights into their share: 0 for a row without
 * a visible key, NaN for a row that sees a score of NaN or +∞.
 *
 * @param rows how many of the four are there
 */
export function finishRows(d: usize, work: usize, r: i32, rows: i32): void {
  const sum = v128.load(stateOf(d, work, r), SUM);
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
  v128.store(stateOf(d, work, r), v128.and(f32x4.div(factor, denominator), some), FACTOR);
}

/** Leaves in `FACTOR` what turns four rows' sums of weighted values into means; 0 for a row without a visible key. */
export function normalizeRows(state: usize): void {
  const sum = v128.load(state, SUM);
  const some = f32x4.ne(sum, i32x4.splat(0));
  v128.store(state, v128.and(f32x4.div(f32x4.splat(1), sum), some), FACTOR);
}

/** The maxima of four rows as natural logits. */
// @ts-ignore: decorator
@inline
function naturalMax(d: usize, work: usize, r: i32): v128 {
  return f32x4.mul(
    v128.load(stateOf(d, work, r), MAX),
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
function sinkOf(d: usize, work: usize, r: i32): f32 {
  return load<f32>(size(d, D.sinksPointer) + 4 * load<usize>(stateOf(d, work, r), HEAD));
}

/** Log-sum-exps of four rows, in float64 from their maxima and denominators. */
function storeLogSumExps(d: usize, work: usize, r: i32, rows: i32, denominator: v128): void {
  const sinks = word(d, D.sinksPointer) != 0;
  // Denominators go where `FACTOR` will be, to be read one by one.
  v128.store(stateOf(d, work, r), denominator, FACTOR);
  for (let lane = r; lane < r + rows; lane++) {
    const total = load<f32>(stateOf(d, work, lane), FACTOR);
    const max = load<f32>(stateOf(d, work, lane), MAX);
    const factor = number(d, D.naturalFactor);
    const some = load<f32>(stateOf(d, work, lane), SUM) != 0;
    let top = some ? <f64>max * <f64>factor : -Infinity;
    // As above, where a sink is the maximum unless it is the smaller float32.
    if (sinks && !(some && max * factor > sinkOf(d, work, lane))) top = <f64>sinkOf(d, work, lane);
    const index = load<usize>(stateOf(d, work, lane), INDEX);
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
