import * as D from "../../src/shared/attention";
import { number, size, word } from "../descriptor";
import { LOWEST } from "../math/constants";
import { madd } from "../math/simd";
import { finishRows } from "./denominators";
import { allFinite } from "./kernels/guarded";
import { singleScores } from "./kernels/few-scores";
import { singleValues } from "./kernels/few-values";
import { singleSoftmax } from "./kernels/softmax";
import { storeScaled } from "./output";
import { outputLanes, queryLanes } from "./panel";
import { FACTOR, HEAD, INDEX, MAX, rowState, SUM } from "./row-state";
import { keyHead } from "./unit";

/**
 * One row by itself, whose keys and columns are lanes: the last of a block where a panel would have no other. Costs a
 * quarter of a panel of four rows, and forms its sums in another order.
 *
 * @param key the first of the keys, which are float32 rows of a multiple of four elements, as values are
 * @param bias the row's bias of the first key, float32, or 0
 * @returns whether it is stored; if not, the bias hides keys, or the output is not finite
 */
export function attendLoneRow(
  d: usize,
  work: usize,
  index: i32,
  query: usize,
  key: usize,
  keyStride: usize,
  keys: i32,
  value: usize,
  valueStride: usize,
  bias: usize,
): bool {
  const scores = work + size(d, D.workScores);
  // As the first of four rows: see `fewScores`.
  const scaled = queryLanes(d, work, 0);
  const bytes: usize = 4 * size(d, D.headDim);
  const factor = f32x4.splat(number(d, D.queryFactor));
  for (let at: usize = 0; at < bytes; at += 16) {
    v128.store(scaled + 4 * at, f32x4.mul(v128.load(query + at), factor));
  }
  singleScores(scaled, bytes, key, keyStride, keys, scores);
  if (bias && addRow(scores, keys, number(d, D.scoreFactor), bias)) return false;
  // Scores are read four at a time.
  v128.store(scores + 4 * <usize>keys, f32x4.splat(-Infinity));
  const state = rowState(d, work, 0);
  store<f32>(state, LOWEST, MAX);
  store<f32>(state, 0, SUM);
  singleSoftmax(scores, keys, number(d, D.logitFactor), state + MAX, state + SUM);

  const columns = word(d, D.valueDim);
  const sums = outputLanes(d, work, 0);
  memory.fill(sums, 0, 4 * <usize>columns);
  singleValues(scores, keys, value, valueStride, 4 * <usize>columns, sums, true);
  if (!allFinite(sums, 0, 1, columns)) return false;
  store<i32>(state, index, INDEX);
  // Sinks are read for all lanes.
  v128.store(state, i32x4.splat(keyHead), HEAD);
  finishRows(d, work, 0, 1);
  const output = size(d, D.outputPointer) + 4 * <usize>index * <usize>columns;
  storeScaled(d, output, sums, load<f32>(state, FACTOR));
  return true;
}

/**
 * `scores[j] = factor · scores[j] + bias[j]`.
 *
 * @returns whether the bias is −∞ anywhere
 */
function addRow(scores: usize, keys: i32, factor: f32, bias: usize): bool {
  const factors = f32x4.splat(factor);
  const fours = scores + 16 * <usize>(keys >> 2);
  let least = f32x4.splat(Infinity);
  while (scores < fours) {
    const b = v128.load(bias);
    least = f32x4.pmin(least, b);
    v128.store(scores, madd(v128.load(scores), factors, b));
    scores += 16;
    bias += 16;
  }
  for (let j = keys & -4; j < keys; j++) {
    const b = v128.load32_splat(bias);
    least = f32x4.pmin(least, b);
    v128.store32_lane(scores, madd(v128.load32_splat(scores), factors, b), 0);
    scores += 4;
    bias += 4;
  }
  return v128.any_true(f32x4.eq(least, f32x4.splat(-Infinity)));
}
