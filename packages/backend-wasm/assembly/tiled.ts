import * as D from "../src/descriptor";
import { storeFloat16Scalar } from "./float16";
import { exp2 } from "./exp2";
import { allFinite, guardedPanelValues } from "./kernels/guarded";
import { panelScores } from "./kernels/panel-scores";
import { panelValues } from "./kernels/panel-values";
import { panelSoftmax } from "./kernels/softmax";
import { touchRows } from "./kernels/touch";
import { addToScores, finishColumn, hideOutside } from "./logits";
import {
  FACTOR,
  HI,
  INDEX,
  LO,
  MAX,
  number,
  queryRow,
  rowState,
  setRows,
  size,
  SUM,
  word,
} from "./rows";
import { transpose4 } from "./simd";
import { finishRows, outputRow, storePartials, storeRows } from "./store";
import { packRows, paddedBytes, tileAddress, tileStride } from "./tile-source";

// @ts-ignore: decorator
@inline
const PANEL: i32 = D.panelRows;
/** From one key to the next in a tile's scores. */
// @ts-ignore: decorator
@inline
const STEP: usize = 4 * PANEL;

/** Rows of a block up to which it is worth to bring a tile into the cache beforehand. */
// @ts-ignore: decorator
@inline
const FEW_PANELS: i32 = 8 * PANEL;

/**
 * FlashAttention's forward pass (Dao et al., 2022, arXiv:2205.14135) for a block of query rows, with
 * everything transposed: rows are lanes. Tiles of keys and values are taken in turn, and for each the
 * block's panels of 8 rows; what a panel cannot see of a tile is not touched.
 *
 * @param unit index of the block among all, for partial results
 * @param split which part of the keys
 */
export function attendTiled(
  d: usize,
  work: usize,
  unit: i32,
  b: i32,
  g: i32,
  block: i32,
  split: i32,
): void {
  const total = (word(d, D.queryHeads) / word(d, D.kvHeads)) * word(d, D.queryLength);
  const start = block * word(d, D.blockRows);
  const rows = min(word(d, D.blockRows), total - start);
  const padded = (rows + PANEL - 1) & -PANEL;
  setRows(d, work, b, g, start, rows, padded);
  packQuery(d, work, b, padded);
  const output = work + size(d, D.workOutput);
  memory.fill(output, 0, <usize>padded * paddedBytes(word(d, D.valueDim)));

  const first = max(load<i32>(rowState(d, work, LO, 0)), split * word(d, D.splitKeys));
  const last = min(
    load<i32>(rowState(d, work, HI, padded - 1)),
    (split + 1) * word(d, D.splitKeys),
  );
  const tile = word(d, D.tileKeys);
  // Tiles end at multiples of their length wherever a block's keys start, so that the order of a row's sums
  // does not depend on the rows beside it.
  for (let from = first; from < last; from = (from / tile + 1) * tile) {
    attendTile(d, work, b, g, padded, from, min((from / tile + 1) * tile, last));
  }
  storeBlock(d, work, unit, split, rows);
  if (word(d, D.scoresPointer)) storeScores(d, work, b, g, rows, padded);
  if (word(d, D.weightsPointer)) storeWeights(d, work, b, g, rows, padded, first, last);
}

/** Panels of query rows, `[rows/8, headDim, 8]`, times `D.queryFactor`. */
function packQuery(d: usize, work: usize, b: i32, padded: i32): void {
  const bytes = paddedBytes(word(d, D.headDim));
  const factor = f32x4.splat(number(d, D.queryFactor));
  for (let r = 0; r < padded; r += 4) {
    let from0 = wholeRow(d, work, b, r);
    let from1 = wholeRow(d, work, b, r + 1);
    let from2 = wholeRow(d, work, b, r + 2);
    let from3 = wholeRow(d, work, b, r + 3);
    const end = from0 + bytes;
    let to = queryLanes(d, work, r);
    while (from0 < end) {
      const to2 = to + 2 * STEP;
      transpose4(from0, from1, from2, from3, factor, to, to + STEP, to2, to2 + STEP);
      from0 += 16;
      from1 += 16;
      from2 += 16;
      from3 += 16;
      to += 4 * STEP;
    }
  }
}

/** A query row as float32 whose number is a multiple of four: where it lies, or a copy. */
function wholeRow(d: usize, work: usize, b: i32, r: i32): usize {
  const row = queryRow(d, work, b, r);
  const columns = word(d, D.headDim);
  if (word(d, D.isFloat16) == 0 && (columns & 3) == 0) return row;
  const copy = work + size(d, D.workRow) + paddedBytes(columns) * <usize>(r & 3);
  packRows(d, row, 0, 1, columns, copy);
  return copy;
}

/** Where the query of row r and of the lanes after it starts: at a panel's first row, the panel. */
// @ts-ignore: decorator
@inline
function queryLanes(d: usize, work: usize, r: i32): usize {
  return work + size(d, D.workQuery) + lanesAt(r, word(d, D.headDim));
}

/** Likewise for the output. */
// @ts-ignore: decorator
@inline
function outputLanes(d: usize, work: usize, r: i32): usize {
  return work + size(d, D.workOutput) + lanesAt(r, word(d, D.valueDim));
}

/** From the first panel to row r's first element, in bytes. */
// @ts-ignore: decorator
@inline
function lanesAt(r: i32, columns: i32): usize {
  return <usize>(r & -PANEL) * paddedBytes(columns) + 4 * <usize>(r & (PANEL - 1));
}

/** Keys `from ≤ j < to` against every panel of the block that sees any of them. */
function attendTile(
  d: usize,
  work: usize,
  b: i32,
  g: i32,
  padded: i32,
  from: i32,
  to: i32,
): void {
  const keys = to - from;
  const headDim = word(d, D.headDim);
  const valueDim = word(d, D.valueDim);
  const half = word(d, D.isFloat16) != 0;
  const wideKey = work + size(d, D.workKey);
  const key = tileAddress(d, D.keyPointer, b, g, from, keys, headDim, half, wideKey);
  const keyStride = tileStride(d, D.keyPointer, headDim, half);
  const wideValue = work + size(d, D.workValue);
  const value = tileAddress(d, D.valuePointer, b, g, from, keys, valueDim, half, wideValue);
  const valueStride = tileStride(d, D.valuePointer, valueDim, half);
  if (!half && padded <= FEW_PANELS) {
    touchRows(key, keyStride, keys, 4 * <usize>headDim, work + size(d, D.workScores));
    touchRows(value, valueStride, keys, 4 * <usize>valueDim, work + size(d, D.workScores));
  }
  const scores = work + size(d, D.workScores);
  /** Whether the tile's values are all finite: −1 as long as nobody needs to know. */
  let finite = -1;
  for (let r = 0; r < padded; r += PANEL) {
    const lo = max(from, load<i32>(rowState(d, work, LO, r)));
    const hi = min(to, load<i32>(rowState(d, work, HI, r + PANEL - 1)));
    if (lo >= hi) continue;
    const skipped = <usize>(lo - from);
    const seen = hi - lo;
    panelScores(queryLanes(d, work, r), headDim, key + skipped * keyStride, keyStride, seen, scores);
    const partial = finishPanel(d, work, r, scores, lo, hi);
    panelSoftmax(
      scores,
      seen,
      number(d, D.logitFactor),
      rowState(d, work, MAX, r),
      rowState(d, work, SUM, r),
    );
    const output = outputLanes(d, work, r);
    const firstValue = value + skipped * valueStride;
    if (partial) {
      if (finite < 0) finite = allFinite(value, valueStride, keys, valueDim) ? 1 : 0;
      if (finite == 0) {
        guardedPanelValues(scores, seen, firstValue, valueStride, valueDim, output);
        continue;
      }
    }
    panelValues(scores, seen, firstValue, valueStride, valueDim, output);
  }
}

/**
 * Steps 2 to 4 of the semantics for a panel.
 *
 * @returns whether any key may be hidden from any row
 */
function finishPanel(d: usize, work: usize, r: i32, scores: usize, lo: i32, hi: i32): bool {
  if (word(d, D.stepwise) || word(d, D.maskPointer)) {
    finishColumn(d, work, r, scores, STEP, lo, hi - lo);
    finishColumn(d, work, r + 4, scores + 16, STEP, lo, hi - lo);
  }
  // Seen by all rows: from where the last row starts to where the first ends.
  const allFrom = min(hi, load<i32>(rowState(d, work, LO, r + PANEL - 1)));
  const allTo = max(lo, load<i32>(rowState(d, work, HI, r)));
  if (lo < allFrom) hidePanel(d, work, r, scores, lo, lo, allFrom);
  if (allTo < hi) hidePanel(d, work, r, scores, lo, allTo, hi);
  return (
    lo < allFrom ||
    allTo < hi ||
    word(d, D.maskPointer) != 0 ||
    word(d, D.biasPointer) != 0
  );
}

/** Hides keys `from ≤ j < to` of scores that start at key `lo` from the rows that do not see them. */
function hidePanel(
  d: usize,
  work: usize,
  r: i32,
  scores: usize,
  lo: i32,
  from: i32,
  to: i32,
): void {
  const at = scores + STEP * <usize>(from - lo);
  hideOutside(d, work, r, at, STEP, from, to - from);
  hideOutside(d, work, r + 4, at + 16, STEP, from, to - from);
}

/** Stores a block's rows, four at a time. */
function storeBlock(d: usize, work: usize, unit: i32, split: i32, rows: i32): void {
  const columns = word(d, D.valueDim);
  const bytes = paddedBytes(columns);
  const whole = word(d, D.splits) == 1;
  const inPlace = whole && word(d, D.isFloat16) == 0 && (columns & 3) == 0;
  const copy = work + size(d, D.workRow);
  const copy2 = copy + 2 * bytes;
  for (let r = 0; r < rows; r += 4) {
    const from = outputLanes(d, work, r);
    const real = min(4, rows - r);
    if (inPlace) {
      finishRows(d, work, r, real);
      // Rows that fill up the last panel are copies of the last one, and overwrite it with the same.
      transposeRows(
        from,
        bytes,
        v128.load(rowState(d, work, FACTOR, r)),
        outputRow(d, work, r),
        outputRow(d, work, r + 1),
        outputRow(d, work, r + 2),
        outputRow(d, work, r + 3),
      );
      continue;
    }
    transposeRows(from, bytes, f32x4.splat(1), copy, copy + bytes, copy2, copy2 + bytes);
    if (whole) storeRows(d, work, r, real, copy, bytes);
    else storePartials(d, work, unit, split, r, real, copy, bytes);
  }
}

/** Half a panel of the output, whose rows are lanes, as four rows of so many bytes. */
function transposeRows(
  from: usize,
  bytes: usize,
  factors: v128,
  to0: usize,
  to1: usize,
  to2: usize,
  to3: usize,
): void {
  const end = to0 + bytes;
  while (to0 < end) {
    const from2 = from + 2 * STEP;
    transpose4(from, from + STEP, from2, from2 + STEP, factors, to0, to1, to2, to3);
    from += 4 * STEP;
    to0 += 16;
    to1 += 16;
    to2 += 16;
    to3 += 16;
  }
}

/** Scores anew, as they are wanted: also of keys that the softmax never saw. */
function storeScores(d: usize, work: usize, b: i32, g: i32, rows: i32, padded: i32): void {
  const length = word(d, D.keyLength);
  const existing = load<i32>(size(d, D.kvLengthsPointer) + 4 * <usize>b);
  const kind = word(d, D.scoresKind);
  const scores = work + size(d, D.workScores);
  const tile = word(d, D.tileKeys);
  clearRows(d, work, D.scoresPointer, rows, existing, length);
  for (let from = 0; from < existing; from += tile) {
    const keys = min(tile, existing - from);
    for (let r = 0; r < padded; r += PANEL) {
      scorePanel(d, work, b, g, r, from, keys);
      for (let half = 0; half < PANEL; half += 4) {
        addToScores(d, work, r + half, scores + 4 * <usize>half, STEP, from, keys, kind);
      }
      storeColumns(d, work, D.scoresPointer, r, min(PANEL, rows - r), from, keys);
    }
  }
}

/**
 * Weights anew, now that the denominators are known: 2^(factor · (s − max)) over the denominator. In a row
 * that is NaN, hidden keys still have a weight of 0.
 */
function storeWeights(
  d: usize,
  work: usize,
  b: i32,
  g: i32,
  rows: i32,
  padded: i32,
  first: i32,
  last: i32,
): void {
  const scores = work + size(d, D.workScores);
  const tile = word(d, D.tileKeys);
  const factor = f32x4.splat(number(d, D.logitFactor));
  const hidden = f32x4.splat(-Infinity);
  clearRows(d, work, D.weightsPointer, rows, 0, word(d, D.keyLength));
  for (let from = first; from < last; from += tile) {
    const to = min(from + tile, last);
    for (let r = 0; r < padded; r += PANEL) {
      const lo = max(from, load<i32>(rowState(d, work, LO, r)));
      const hi = min(to, load<i32>(rowState(d, work, HI, r + PANEL - 1)));
      if (lo >= hi) continue;
      scorePanel(d, work, b, g, r, lo, hi - lo);
      finishPanel(d, work, r, scores, lo, hi);
      for (let half = 0; half < PANEL; half += 4) {
        const max = v128.load(rowState(d, work, MAX, r + half));
        const inverse = v128.load(rowState(d, work, FACTOR, r + half));
        let p = scores + 4 * <usize>half;
        const end = p + STEP * <usize>(hi - lo);
        while (p < end) {
          const s = v128.load(p);
          const weight = f32x4.mul(exp2(f32x4.mul(f32x4.sub(s, max), factor)), inverse);
          v128.store(p, v128.and(weight, f32x4.ne(s, hidden)));
          p += STEP;
        }
      }
      storeColumns(d, work, D.weightsPointer, r, min(PANEL, rows - r), lo, hi - lo);
    }
  }
}

/** Scores of one panel, as `attendTile` computes them. */
function scorePanel(d: usize, work: usize, b: i32, g: i32, r: i32, from: i32, keys: i32): void {
  const headDim = word(d, D.headDim);
  const half = word(d, D.isFloat16) != 0;
  const wide = work + size(d, D.workKey);
  const key = tileAddress(d, D.keyPointer, b, g, from, keys, headDim, half, wide);
  const stride = tileStride(d, D.keyPointer, headDim, half);
  panelScores(queryLanes(d, work, r), headDim, key, stride, keys, work + size(d, D.workScores));
}

/** Where row r's element j of weights or scores is. */
function matrixElement(d: usize, work: usize, pointer: usize, r: i32, j: i32): usize {
  const index = load<usize>(rowState(d, work, INDEX, r));
  const at = index * size(d, D.keyLength) + <usize>j;
  return size(d, pointer) + at * (word(d, D.isFloat16) ? 2 : 4);
}

/** Zeros elements `from ≤ j < to` of each row of weights or scores. */
function clearRows(d: usize, work: usize, pointer: usize, rows: i32, from: i32, to: i32): void {
  const bytes = <usize>(to - from) * (word(d, D.isFloat16) ? 2 : 4);
  for (let r = 0; r < rows; r++) memory.fill(matrixElement(d, work, pointer, r, from), 0, bytes);
}

/** Stores a panel's scores into rows of weights or scores. */
function storeColumns(
  d: usize,
  work: usize,
  pointer: usize,
  r: i32,
  rows: i32,
  from: i32,
  keys: i32,
): void {
  const half = word(d, D.isFloat16) != 0;
  for (let lane = 0; lane < rows; lane++) {
    let to = matrixElement(d, work, pointer, r + lane, from);
    let p = work + size(d, D.workScores) + 4 * <usize>lane;
    const end = p + STEP * <usize>keys;
    while (p < end) {
      const x = load<f32>(p);
      if (half) storeFloat16Scalar(to, x);
      else store<f32>(to, x);
      to += half ? 2 : 4;
      p += STEP;
    }
  }
}
