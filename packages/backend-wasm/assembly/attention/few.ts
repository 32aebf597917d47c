import * as D from "../../src/shared/attention";
import { number, size, word } from "../descriptor";
import { nextTile, startTiles } from "./ahead";
import { normalizeRows } from "./denominators";
import { computeFloats } from "./few-floats";
import { computeStored, converts, multiply, packStoredQuery } from "./few-stored";
import { allFinite } from "./kernels/guarded";
import { addTile } from "./kernels/few-values";
import { addPairs } from "./kernels/stored-values";
import { columnSoftmax, finalWeights, singleSoftmax } from "./kernels/softmax";
import {
  boundUnit,
  hasPrograms,
  hasScore,
  maskAddress,
  maskRows,
  startTile,
  startUnit,
  visit,
  visitFrom,
  visitTo,
} from "../program/stages";
import { allWithin, firstWithin, lastWithin } from "./key-positions";
import { finishLogits } from "./logits";
import { mendRow, outputRow, storeRows } from "./output";
import { partialOutput, storePartials } from "./partial";
import {
  ANY_FROM,
  ANY_HIDDEN,
  ANY_LEFT,
  ANY_RIGHT,
  ANY_TO,
  FACTOR,
  keyPositions,
  MAX,
  QUERY,
  rowState,
  scaleFactors,
  setRows,
  stateOf,
  SUM,
} from "./row-state";
import { copyQuery, paddedBytes } from "./tile-source";
import { keyHeads, rowCount, selectHead } from "./unit";

// @ts-ignore: decorator
@inline
const ROWS: i32 = D.fewRows;
/** From one key to the next in a tile's scores. */
// @ts-ignore: decorator
@inline
const STEP: usize = 4 * ROWS;

/**
 * Attention of all rows of a key head where they are at most four: a step of decoding. Keys and values
 * are streamed once, a key's elements being the lanes, and shared by the rows. In pages, key heads take turns tile by
 * tile, so that memory is read in the order in which it lies.
 *
 * @param unit that `readUnit` has read
 */
export function attendFew(d: usize, work: usize, unit: i32, split: i32): void {
  const heads = keyHeads;
  const step = size(d, D.workHead);
  let at = work;
  for (let head = 0; head < heads; head++) {
    selectHead(head);
    startHead(d, at);
    at += step;
  }
  // Positions are the same for all heads.
  const state = rowState(d, work, 0);
  const part = word(d, D.splitKeys);
  let first = max(load<i32>(state, ANY_FROM), split * part);
  let last = min(load<i32>(state, ANY_TO), (split + 1) * part);
  if (hasPrograms) {
    boundUnit(rowCount, first, last);
    first = visitFrom;
    last = visitTo;
  }
  const tile = word(d, D.fewTileKeys);
  const single = rowCount == 1 && word(d, D.stepwise) == 0 && word(d, D.maskPointer) == 0;
  startTiles(d, work, first, last);
  for (let from = first; from < last; from += tile) {
    nextTile(last - from < 2 * tile);
    attendTile(d, work, heads, from, min(from + tile, last), single, false);
  }
  at = work;
  for (let head = 0; head < heads; head++) {
    selectHead(head);
    finishHead(d, at, unit, split, first, last);
    at += step;
  }
}

/** Prepares the selected key head. */
function startHead(d: usize, work: usize): void {
  setRows(d, work, ROWS);
  startUnit(d, work, ROWS);
  packQuery(d, work, rowCount);
  if (converts(d, D.headDim)) packStoredQuery(d, work);
  memory.fill(work + size(d, D.workOutput), 0, <usize>ROWS * paddedBytes(word(d, D.valueDim)));
}

/** Stores the rows of the selected key head, of which the keys `first ≤ j < last` are done. */
function finishHead(d: usize, work: usize, unit: i32, split: i32, first: i32, last: i32): void {
  const rows = rowCount;
  const state = rowState(d, work, 0);
  const output = work + size(d, D.workOutput);
  const valueBytes = paddedBytes(word(d, D.valueDim));
  const whole = word(d, D.splits) == 1;
  if (whole) {
    storeRows(d, work, 0, rows, output, valueBytes, false);
  } else {
    normalizeRows(state);
    for (let r = 0; r < rows; r++) {
      const row = output + valueBytes * <usize>r;
      multiply(row, row + valueBytes, load<f32>(state + 4 * <usize>r, FACTOR));
    }
    storePartials(d, work, unit, split, 0, rows, output, valueBytes);
  }
  const columns = word(d, D.valueDim);
  if (word(d, D.isFloat16) || word(d, D.stored) == D.storedFloat16) return;
  if (allFinite(output, valueBytes, rows, columns)) return;
  memory.fill(output, 0, <usize>ROWS * valueBytes);
  const tile = word(d, D.fewTileKeys);
  scaleFactors(d, work, ROWS, 0.5);
  startTiles(d, work, first, last);
  for (let from = first; from < last; from += tile) {
    nextTile(last - from < 2 * tile);
    attendTile(d, work, 1, from, min(from + tile, last), false, true);
  }
  scaleFactors(d, work, ROWS, 2);
  for (let r = 0; r < rows; r++) {
    const row = whole ? outputRow(d, work, r) : partialOutput(d, unit, split, r);
    mendRow(row, output + valueBytes * <usize>r, columns);
  }
}

/** Query rows times `D.queryFactor`, four elements of each side by side: `[headDim/4, 4, 4]`. */
function packQuery(d: usize, work: usize, rows: i32): void {
  const rowBytes = paddedBytes(word(d, D.headDim));
  const query = work + size(d, D.workQuery);
  const row = work + size(d, D.workRow);
  const factor = f32x4.splat(number(d, D.queryFactor));
  if (rows < ROWS) memory.fill(query, 0, <usize>ROWS * rowBytes);
  for (let r = 0; r < rows; r++) {
    copyQuery(d, load<usize>(stateOf(d, work, r), QUERY), row);
    let to = query + 16 * <usize>r;
    for (let p = row; p < row + rowBytes; p += 16) {
      v128.store(to, f32x4.mul(v128.load(p), factor));
      to += 16 * ROWS;
    }
  }
}

/**
 * Keys `from ≤ j < to` against the rows of the selected key head, or of all of the unit's.
 *
 * @param work of the first head
 * @param single whether there is but one row, and nothing to be done to its scores
 * @param final whether maxima and denominators are known: see `finalWeights`
 */
function attendTile(
  d: usize,
  work: usize,
  heads: i32,
  from: i32,
  to: i32,
  single: bool,
  final: bool,
): void {
  const state = rowState(d, work, 0);
  if (keyPositions) {
    const lowest = load<i32>(state, ANY_LEFT);
    const highest = load<i32>(state, ANY_RIGHT);
    from = firstWithin(from, to, lowest, highest);
    to = lastWithin(from, to, lowest, highest);
    if (from >= to) return;
    single = single && allWithin(from, to, lowest, highest);
  }
  if (hasPrograms) {
    // A unit has one key head then.
    startTile(from, to);
    if (!visit(0, from, to) || !maskRows(0, ROWS - 1, STEP)) return;
    from = visitFrom;
    to = visitTo;
    single = single && maskAddress == 0 && !hasScore;
  }
  const step = size(d, D.workHead);
  const scores = work + size(d, D.workScores);
  if (converts(d, D.headDim)) computeStored(d, work, heads, from, to, single, scores, false);
  else computeFloats(d, work, heads, from, to, single, scores, false);
  let at = work;
  for (let head = 0; head < heads; head++) {
    if (heads > 1) selectHead(head);
    weighTile(d, at, from, to, single, final);
    at += step;
  }
  if (converts(d, D.valueDim)) computeStored(d, work, heads, from, to, single, scores, true);
  else computeFloats(d, work, heads, from, to, single, scores, true);
  for (let head = 0; head < heads; head++) {
    addSums(d, work, to - from, single);
    work += step;
  }
}

/** Turns a tile's scores into weights, and clears its sums. Leaves in `ANY_HIDDEN` whether any row may not see any key. */
function weighTile(d: usize, work: usize, from: i32, to: i32, single: bool, final: bool): void {
  const state = rowState(d, work, 0);
  const keys = to - from;
  const scores = work + size(d, D.workScores);
  const factor = number(d, D.logitFactor);
  let partial = false;
  if (single) {
    // Scores are read four at a time.
    v128.store(scores + 4 * <usize>keys, f32x4.splat(-Infinity));
    singleSoftmax(scores, keys, factor, state + MAX, state + SUM);
  } else {
    partial = finishLogits(d, work, 0, ROWS - 1, scores, STEP, from, to);
    if (final) finalWeights(scores, STEP, keys, factor, state + MAX, state + FACTOR);
    else columnSoftmax(scores, STEP, keys, factor, state + MAX, state + SUM);
  }
  store<i32>(state, partial ? 1 : 0, ANY_HIDDEN);
  const bytes = paddedBytes(word(d, D.valueDim));
  memory.fill(work + size(d, D.workRow), 0, single ? bytes : ROWS * bytes);
}

/** Adds a tile's sums, which are formed by themselves, to the output: see `panelValues`. */
function addSums(d: usize, work: usize, keys: i32, single: bool): void {
  const bytes = paddedBytes(word(d, D.valueDim));
  const sums = work + size(d, D.workRow);
  const output = work + size(d, D.workOutput);
  const scores = work + size(d, D.workScores);
  const rescale = scores + 16 * <usize>(single ? (keys + 3) >> 2 : keys);
  const rows: usize = single ? 1 : ROWS;
  const pairs = word(d, D.stored) == D.storedInt8 && converts(d, D.valueDim);
  for (let r: usize = 0; r < rows; r++) {
    const factor = v128.load32_splat(rescale + 4 * r);
    if (pairs) addPairs(output + r * bytes, bytes, factor, sums + r * bytes);
    else addTile(output + r * bytes, bytes, factor, sums + r * bytes);
  }
}
