import * as D from "../../src/shared/attention";
import { number, size, word } from "../descriptor";
import { transpose4 } from "../math/simd";
import { finishRows } from "./denominators";
import { allFinite, guardedPanelValues } from "./kernels/guarded";
import { panelScores } from "./kernels/panel-scores";
import { panelValues } from "./kernels/panel-values";
import { panelSoftmax } from "./kernels/softmax";
import { touchRows } from "./kernels/touch";
import { storeScores, storeWeights } from "./matrices";
import { outputRow, storeRows } from "./output";
import { finishPanel, outputLanes, PANEL, queryLanes, STEP } from "./panel";
import { storePartials } from "./partial";
import { FACTOR, HI, LO, MAX, queryRow, rowState, setRows, SUM } from "./row-state";
import { packRows, paddedBytes, tileAddress, tileStride } from "./tile-source";

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
  const sums = work + size(d, D.workRow);
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
        guardedPanelValues(scores, seen, firstValue, valueStride, valueDim, output, sums);
        continue;
      }
    }
    panelValues(scores, seen, firstValue, valueStride, valueDim, output, sums);
  }
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
