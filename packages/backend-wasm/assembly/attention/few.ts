import * as D from "../../src/shared/attention";
import { number, size, word } from "../descriptor";
import { normalizeRows } from "./denominators";
import { addFloatValues, scoreFloats } from "./few-floats";
import { addStoredValues, converts, packStoredQuery, scoreStored } from "./few-stored";
import { allFinite } from "./kernels/guarded";
import { addTile } from "./kernels/few-values";
import { columnSoftmax, finalWeights, singleSoftmax } from "./kernels/softmax";
import { allWithin, firstWithin, lastWithin } from "./key-positions";
import { finishLogits } from "./logits";
import { outputRow, storeRows, storeScaled } from "./output";
import { storePartials } from "./partial";
import {
  AGAIN,
  ANY_FROM,
  ANY_LEFT,
  ANY_RIGHT,
  ANY_TO,
  FACTOR,
  keyPositions,
  MAX,
  overflows,
  QUERY,
  rowState,
  setRows,
  stateOf,
  SUM,
} from "./row-state";
import { copyQuery, paddedBytes, valuesFinite } from "./tile-source";
import { rowCount } from "./unit";

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
 *
 * @param unit that `readUnit` has read
 */
export function attendFew(d: usize, work: usize, unit: i32, split: i32): void {
  const rows = rowCount;
  setRows(d, work, ROWS);
  packQuery(d, work, rows);
  if (converts(d, D.headDim)) packStoredQuery(d, work);
  const output = work + size(d, D.workOutput);
  const valueBytes = paddedBytes(word(d, D.valueDim));
  memory.fill(output, 0, <usize>ROWS * valueBytes);

  const state = rowState(d, work, 0);
  const part = word(d, D.splitKeys);
  const first = max(load<i32>(state, ANY_FROM), split * part);
  const last = min(load<i32>(state, ANY_TO), (split + 1) * part);
  const tile = word(d, D.tileKeys);
  const single = rows == 1 && word(d, D.stepwise) == 0 && word(d, D.maskPointer) == 0;
  for (let from = first; from < last; from += tile) {
    attendTile(d, work, from, min(from + tile, last), single, false);
  }
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
  if (!overflows(state, v128.load(state, AGAIN)) || !valuesFinite(d, first, last)) return;
  memory.fill(output, 0, <usize>ROWS * valueBytes);
  for (let from = first; from < last; from += tile) {
    attendTile(d, work, from, min(from + tile, last), false, true);
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
  const rowBytes = paddedBytes(word(d, D.headDim));
  let to = work + size(d, D.workQuery);
  const factor = number(d, D.queryFactor);
  for (let r = 0; r < ROWS; r++) {
    if (r < rows) copyQuery(d, load<usize>(stateOf(d, work, r), QUERY), to);
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
function attendTile(d: usize, work: usize, from: i32, to: i32, single: bool, final: bool): void {
  const state = rowState(d, work, 0);
  if (keyPositions) {
    const lowest = load<i32>(state, ANY_LEFT);
    const highest = load<i32>(state, ANY_RIGHT);
    from = firstWithin(from, to, lowest, highest);
    to = lastWithin(from, to, lowest, highest);
    if (from >= to) return;
    single = single && allWithin(from, to, lowest, highest);
  }
  const keys = to - from;
  const scores = work + size(d, D.workScores);
  const factor = number(d, D.logitFactor);
  if (!converts(d, D.headDim) || !scoreStored(d, work, from, to, single)) {
    scoreFloats(d, work, from, to, single);
  }
  let rescale = scores + STEP * <usize>keys;
  let partial = false;
  if (single) {
    // Scores are read four at a time.
    rescale = scores + 16 * <usize>((keys + 3) >> 2);
    v128.store(scores + 4 * <usize>keys, f32x4.splat(-Infinity));
    singleSoftmax(scores, keys, factor, state + MAX, state + SUM);
  } else {
    partial = finishLogits(d, work, 0, ROWS - 1, scores, STEP, from, to);
    if (final) finalWeights(scores, STEP, keys, factor, state + MAX, state + FACTOR);
    else columnSoftmax(scores, STEP, keys, factor, state + MAX, state + SUM);
  }

  // The sums of the tile are formed by themselves, and then added to the output: see `panelValues`.
  const bytes = paddedBytes(word(d, D.valueDim));
  const rows: usize = single ? 1 : ROWS;
  const sums = work + size(d, D.workRow);
  memory.fill(sums, 0, rows * bytes);
  if (!converts(d, D.valueDim) || !addStoredValues(d, work, from, to, single, partial)) {
    addFloatValues(d, work, from, to, single, partial);
  }
  const output = work + size(d, D.workOutput);
  for (let r: usize = 0; r < rows; r++) {
    addTile(output + r * bytes, bytes, v128.load32_splat(rescale + 4 * r), sums + r * bytes);
  }
}
