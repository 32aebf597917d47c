import * as D from "../../src/shared/attention";
import { number, size, word } from "../descriptor";
import { normalizeRows } from "./denominators";
import { fewScores, singleScores } from "./kernels/few-scores";
import { fewValues, singleValues } from "./kernels/few-values";
import { allFinite, guardedFewValues } from "./kernels/guarded";
import { columnSoftmax, finalWeights, singleSoftmax } from "./kernels/softmax";
import { finishLogits } from "./logits";
import { outputRow, storeRows, storeScaled } from "./output";
import { storePartials } from "./partial";
import { AGAIN, FACTOR, HI, LO, MAX, overflows, QUERY, stateOf, setRows, SUM } from "./row-state";
import { packRows, paddedBytes, tileAddress, tileStride, valuesFinite } from "./tile-source";

// @ts-ignore: decorator
@inline
const ROWS: i32 = D.fewRows;
/** From one key to the next in a tile's scores. */
// @ts-ignore: decorator
@inline
const STEP: usize = 4 * ROWS;

/**
 * Attention of all rows of a key head where they are at most four: a step of decoding. Keys and values
 * are streamed once, a key's elements being the lanes, and shared by the rows.
 */
export function attendFew(d: usize, work: usize, unit: i32, b: i32, g: i32, split: i32): void {
  const rows = word(d, D.groupRows);
  setRows(d, work, b, g, 0, rows, ROWS);
  packQuery(d, work, rows);
  const output = work + size(d, D.workOutput);
  const valueBytes = paddedBytes(word(d, D.valueDim));
  memory.fill(output, 0, <usize>ROWS * valueBytes);

  const first = max(load<i32>(stateOf(d, work, 0), LO), split * word(d, D.splitKeys));
  const last = min(
    load<i32>(stateOf(d, work, ROWS - 1), HI),
    (split + 1) * word(d, D.splitKeys),
  );
  const tile = word(d, D.tileKeys);
  const single = rows == 1 && word(d, D.stepwise) == 0 && word(d, D.maskPointer) == 0;
  for (let from = first; from < last; from += tile) {
    attendTile(d, work, b, g, from, min(from + tile, last), single, false);
  }
  const state = stateOf(d, work, 0);
  const whole = word(d, D.splits) == 1;
  if (whole) {
    storeRows(d, work, 0, rows, output, valueBytes, false);
  } else {
    normalizeRows(state);
    for (let r = 0; r < rows; r++) {
      const row = output + valueBytes * <usize>r;
      scaleRow(row, valueBytes, load<f32>(state + 4 * <usize>r, FACTOR));
    }
    storePartials(d, work, unit, split, 0, rows, output, valueBytes);
  }
  if (word(d, D.isFloat16)) return;
  const columns = word(d, D.valueDim);
  if (allFinite(output, valueBytes, rows, columns)) return;
  v128.store(state, i32x4.splat(0), AGAIN);
  for (let r: usize = 0; r < <usize>rows; r++) {
    const finite = allFinite(output + valueBytes * r, 0, 1, columns);
    store<i32>(state + 4 * r, finite ? 0 : -1, AGAIN);
  }
  if (!overflows(state, v128.load(state, AGAIN)) || !valuesFinite(d, b, g, first, last)) return;
  memory.fill(output, 0, <usize>ROWS * valueBytes);
  for (let from = first; from < last; from += tile) {
    attendTile(d, work, b, g, from, min(from + tile, last), false, true);
  }
  for (let r = 0; r < rows; r++) {
    if (!load<i32>(state + 4 * <usize>r, AGAIN)) continue;
    const row = output + valueBytes * <usize>r;
    if (whole) storeScaled(d, outputRow(d, work, r), row, 1);
    else storePartials(d, work, unit, split, r, 1, row, valueBytes);
  }
}

/** Query rows, `[4, headDim]`, times `D.queryFactor`. */
function packQuery(d: usize, work: usize, rows: i32): void {
  const columns = word(d, D.headDim);
  const rowBytes = paddedBytes(columns);
  let to = work + size(d, D.workQuery);
  const factor = number(d, D.queryFactor);
  for (let r = 0; r < ROWS; r++) {
    if (r < rows) packRows(d, load<usize>(stateOf(d, work, r), QUERY), 0, 1, columns, to);
    else memory.fill(to, 0, rowBytes);
    const end = to + rowBytes;
    scaleRow(to, rowBytes, factor);
    to = end;
  }
}

function scaleRow(row: usize, bytes: usize, scale: f32): void {
  const factor = f32x4.splat(scale);
  const end = row + bytes;
  while (row < end) {
    v128.store(row, f32x4.mul(v128.load(row), factor));
    row += 16;
  }
}

/**
 * @param single whether there is but one row, and nothing to be done to its scores
 * @param final whether maxima and denominators are known: see `finalWeights`
 */
function attendTile(
  d: usize,
  work: usize,
  b: i32,
  g: i32,
  from: i32,
  to: i32,
  single: bool,
  final: bool,
): void {
  const keys = to - from;
  const headBytes = paddedBytes(word(d, D.headDim));
  const valueBytes = paddedBytes(word(d, D.valueDim));
  const query = work + size(d, D.workQuery);
  const scores = work + size(d, D.workScores);
  const output = work + size(d, D.workOutput);
  const sums = work + size(d, D.workRow);
  const sink = sums + <usize>ROWS * valueBytes;
  const max = stateOf(d, work, 0) + MAX;
  const sum = stateOf(d, work, 0) + SUM;
  const factor = number(d, D.logitFactor);

  const packsKey = mustPack(d, D.headDim);
  const headDim = word(d, D.headDim);
  const copiedKey = work + size(d, D.workKey);
  const key = tileAddress(d, D.keyPointer, b, g, from, keys, headDim, packsKey, copiedKey);
  const keyStride = tileStride(d, D.keyPointer, headDim, packsKey);
  let partial = false;
  if (single) {
    singleScores(query, headBytes, key, keyStride, keys, scores);
    singleSoftmax(scores, keys, factor, max, sum);
  } else {
    fewScores(query, headBytes, key, keyStride, keys, scores);
    partial = finishLogits(d, work, 0, ROWS - 1, scores, STEP, from, to);
    if (final) {
      finalWeights(scores, STEP, keys, factor, max, stateOf(d, work, 0) + FACTOR);
    } else {
      columnSoftmax(scores, STEP, keys, factor, max, sum);
    }
  }

  // After the keys are read: their copy and that of the values would compete for the cache.
  const packsValue = mustPack(d, D.valueDim);
  const valueDim = word(d, D.valueDim);
  const copiedValue = work + size(d, D.workValue);
  const value = tileAddress(d, D.valuePointer, b, g, from, keys, valueDim, packsValue, copiedValue);
  const valueStride = tileStride(d, D.valuePointer, valueDim, packsValue);
  if (single) {
    singleValues(scores, keys, value, valueStride, valueBytes, output, sums, sink);
  } else if (partial && !allFinite(value, valueStride, keys, valueDim)) {
    guardedFewValues(scores, keys, value, valueStride, valueBytes, output);
  } else {
    fewValues(scores, keys, value, valueStride, valueBytes, output, sums, sink);
  }
}

/** Rows of float32 whose size is a multiple of four are used where they lie. */
function mustPack(d: usize, columns: usize): bool {
  return word(d, D.isFloat16) != 0 || (word(d, columns) & 3) != 0;
}
