import * as D from "../../src/shared/attention";
import { number, size, word } from "../descriptor";
import { finishRows, normalizeRows } from "./denominators";
import { allFinite, guardedTileValues } from "./kernels/guarded";
import { panelScores } from "./kernels/panel-scores";
import { addPanel, tileValues } from "./kernels/panel-values";
import { finalWeights, panelSoftmax } from "./kernels/softmax";
import { canSpread, spread, spreadScores, spreadValues } from "./kernels/spread";
import { touchRows } from "./kernels/touch";
import { finishLogits } from "./logits";
import { storeScores, storeWeights } from "./matrices";
import { mendRow, outputRow, storeRows } from "./output";
import { packRows } from "./pack-rows";
import { outputLanes, PANEL, queryLanes, STEP } from "./panel";
import { partialOutput, storePartials } from "./partial";
import { boundUnit, hasPrograms, maskRows, startTile, startUnit, visit, visitFrom, visitTo } from "../program/stages";
import { firstWithin, lastWithin } from "./key-positions";
import {
  ANY_FROM,
  ANY_LEFT,
  ANY_RIGHT,
  ANY_TO,
  FACTOR,
  greatestOf,
  keyPositions,
  leastOf,
  MAX,
  panelState,
  QUERY,
  rowState,
  scaleFactors,
  setRows,
  SUM,
  unseen,
} from "./row-state";
import { copyQuery, mustCopy, paddedBytes, tileAddress, tileStride } from "./tile-source";
import { transposeRows } from "./transpose-rows";
import { rowCount } from "./unit";

/** Panels up to which it pays to bring a tile into the cache before the kernels read it. */
// @ts-ignore: decorator
@inline
export const TOUCHED_PANELS: i32 = 2;

/**
 * Whether to bring a tile into the cache before the kernels read it. It pays for up to two panels, and for up to eight
 * if the keys are more than one tile.
 */
// @ts-ignore: decorator
@inline
function touches(d: usize, rows: i32): bool {
  const long = word(d, D.keyLength) > word(d, D.tileKeys);
  return rows <= (long ? 8 : TOUCHED_PANELS) * PANEL;
}

/** Panels for which a tile is spread, at least: it costs about as much as it saves for one or two. */
// @ts-ignore: decorator
@inline
export const SPREAD_PANELS: i32 = 3;

/**
 * FlashAttention's forward pass (Dao et al., 2022, arXiv:2205.14135) for a block of query rows, with
 * everything transposed: rows are lanes. Tiles of keys and values are taken in turn, and for each the
 * block's panels of 8 rows; what a panel cannot see of a tile is not touched.
 *
 * @param unit that `readUnit` has read, for partial results
 * @param split which part of the keys
 */
export function attendTiled(d: usize, work: usize, unit: i32, split: i32): void {
  const rows = rowCount;
  const padded = (rows + PANEL - 1) & -PANEL;
  setRows(d, work, padded);
  startUnit(d, work, padded);
  packQuery(d, work, rows);
  const output = work + size(d, D.workOutput);

  const part = word(d, D.splitKeys);
  let first = max(leastOf(d, work, rows, ANY_FROM), split * part);
  let last = min(greatestOf(d, work, rows, ANY_TO), (split + 1) * part);
  if (hasPrograms) {
    boundUnit(rows, first, last);
    first = visitFrom;
    last = visitTo;
  }
  attendTiles(d, work, rows, first, last, false);
  if (storeBlock(d, work, unit, split, rows) && word(d, D.stored) != D.storedFloat16) {
    memory.fill(output, 0, <usize>padded * paddedBytes(word(d, D.valueDim)));
    scaleFactors(d, work, padded, 0.5);
    attendTiles(d, work, rows, first, last, true);
    scaleFactors(d, work, padded, 2);
    mendRows(d, work, unit, split, rows);
  }
  if (word(d, D.scoresPointer)) storeScores(d, work, rows, padded);
  if (word(d, D.weightsPointer)) storeWeights(d, work, rows, padded, first, last);
}

/** @param final whether maxima and denominators are known: see `finalWeights`; outputs are to be 0 then */
function attendTiles(
  d: usize,
  work: usize,
  rows: i32,
  first: i32,
  last: i32,
  final: bool,
): void {
  const tile = word(d, D.tileKeys);
  // Tiles end at multiples of their length wherever a block's keys start, so that the order of a row's sums
  // does not depend on the rows beside it.
  for (let from = first; from < last; from = (from / tile + 1) * tile) {
    attendTile(d, work, rows, from, min((from / tile + 1) * tile, last), final);
  }
}

/** Panels of query rows, `[rows/8, headDim, 8]`, times `D.queryFactor`. Of the last panel, half if that does. */
function packQuery(d: usize, work: usize, rows: i32): void {
  const bytes = paddedBytes(word(d, D.headDim));
  const factor = f32x4.splat(number(d, D.queryFactor));
  const half = word(d, D.isFloat16) != 0;
  for (let r = 0; r < rows; r += 4) {
    const state = rowState(d, work, r);
    let from0 = load<usize>(state, QUERY);
    let from1 = load<usize>(state, QUERY + 4);
    let from2 = load<usize>(state, QUERY + 8);
    let from3 = load<usize>(state, QUERY + 12);
    if (half) {
      from0 = widened(d, work, from0, 0);
      from1 = widened(d, work, from1, 1);
      from2 = widened(d, work, from2, 2);
      from3 = widened(d, work, from3, 3);
    }
    packRows(from0, from1, from2, from3, bytes, factor, queryLanes(d, work, r));
  }
}

/** A copy of a query row of float16 as float32; there is room for four. */
function widened(d: usize, work: usize, row: usize, which: usize): usize {
  const copy = work + size(d, D.workRow) + paddedBytes(word(d, D.headDim)) * which;
  copyQuery(d, row, copy);
  return copy;
}

/** Keys `from ≤ j < to` against every panel of the block that sees any of them. */
function attendTile(d: usize, work: usize, rows: i32, from: i32, to: i32, final: bool): void {
  if (keyPositions) {
    const lowest = leastOf(d, work, rows, ANY_LEFT);
    const highest = greatestOf(d, work, rows, ANY_RIGHT);
    from = firstWithin(from, to, lowest, highest);
    to = lastWithin(from, to, lowest, highest);
    if (from >= to) return;
  }
  if (hasPrograms) {
    // Keys of a tile that no panel sees are neither copied nor touched.
    let least = to;
    let most = from;
    for (let r = 0; r < rows; r += PANEL) {
      if (!visit(r, from, to)) continue;
      least = min(least, visitFrom);
      most = max(most, visitTo);
    }
    from = least;
    to = most;
    if (from >= to) return;
    startTile(from, to);
  }
  const keys = to - from;
  const headDim = word(d, D.headDim);
  const valueDim = word(d, D.valueDim);
  const copies = mustCopy(d, from, to);
  const keyCopy = work + size(d, D.workKey);
  const key = tileAddress(d, D.keyPointer, from, keys, headDim, copies, keyCopy);
  const keyStride = tileStride(d, D.keyPointer, headDim, copies);
  const valueCopy = work + size(d, D.workValue);
  const value = tileAddress(d, D.valuePointer, from, keys, valueDim, copies, valueCopy);
  const valueStride = tileStride(d, D.valuePointer, valueDim, copies);
  if (!copies && touches(d, rows)) {
    touchRows(key, keyStride, keys, 4 * <usize>headDim);
    touchRows(value, valueStride, keys, 4 * <usize>valueDim);
  }
  const scores = work + size(d, D.workScores);
  const sums = work + size(d, D.workRow);
  const variant = word(d, D.tileVariant);
  const spreadKey = work + size(d, D.workSpreadKey);
  const spreadValue = work + size(d, D.workSpreadValue);
  const spreads =
    canSpread(variant, keys, valueDim) &&
    panelsThatSee(d, work, rows, from, to) >= SPREAD_PANELS;
  if (spreads) {
    spread(key, keys, keyStride, headDim, 4, spreadKey);
    spread(value, valueDim, 4, keys, valueStride, spreadValue);
  }
  const factor = number(d, D.logitFactor);
  /** Whether the tile's values are all finite: −1 as long as nobody needs to know. */
  let finite = -1;
  for (let r = 0; r < rows; r += PANEL) {
    const state = panelState(d, work, r);
    let lo = max(from, load<i32>(state, ANY_FROM));
    let hi = min(to, load<i32>(state, ANY_TO));
    if (keyPositions) {
      const lowest = load<i32>(state, ANY_LEFT);
      const highest = load<i32>(state, ANY_RIGHT);
      lo = firstWithin(lo, hi, lowest, highest);
      hi = lastWithin(lo, hi, lowest, highest);
    }
    if (lo >= hi) continue;
    /** Whether four lanes do. */
    const four = rows - r <= 4;
    if (hasPrograms) {
      if (!visit(r, lo, hi) || !maskRows(r, r + (four ? 3 : PANEL - 1), STEP)) continue;
      lo = visitFrom;
      hi = visitTo;
    }
    const skipped = <usize>(lo - from);
    const seen = hi - lo;
    const query = queryLanes(d, work, r);
    if (spreads && !four) {
      spreadScores(variant, query, headDim, spreadKey, keys, lo - from, hi - from, scores);
    } else {
      panelScores(query, headDim, key + skipped * keyStride, keyStride, seen, scores, four);
    }
    const lastLane = r + (four ? 3 : PANEL - 1);
    const partial = finishLogits(d, work, r, lastLane, scores, STEP, lo, hi);
    const fresh = !final && unseen(state) && (four || unseen(state + 16));
    if (final) {
      finalWeights(scores, STEP, seen, factor, state + MAX, state + FACTOR);
      finalWeights(scores + 16, STEP, seen, factor, state + 16 + MAX, state + 16 + FACTOR);
    } else {
      panelSoftmax(scores, seen, factor, state + MAX, state + SUM, four);
    }
    const output = outputLanes(d, work, r);
    const target = fresh ? output : sums;
    const firstValue = value + skipped * valueStride;
    if (partial && finite < 0) finite = allFinite(value, valueStride, keys, valueDim) ? 1 : 0;
    if (partial && finite == 0) {
      guardedTileValues(scores, seen, firstValue, valueStride, valueDim, target);
    } else if (spreads && !four) {
      spreadValues(variant, scores, seen, spreadValue, keys, lo - from, valueDim, target);
    } else {
      tileValues(scores, seen, firstValue, valueStride, valueDim, target, four);
    }
    if (!fresh) addPanel(output, valueDim, scores + STEP * <usize>seen, sums);
  }
}

/** Panels that see any of the keys `from ≤ j < to`; with programs, as far as bounds tell. */
function panelsThatSee(d: usize, work: usize, rows: i32, from: i32, to: i32): i32 {
  let panels = 0;
  for (let r = 0; r < rows; r += PANEL) {
    const state = panelState(d, work, r);
    if (load<i32>(state, ANY_FROM) < to && load<i32>(state, ANY_TO) > from) {
      if (!hasPrograms || visit(r, from, to)) panels++;
    }
  }
  return panels;
}

/**
 * Stores a block's rows, four at a time.
 *
 * @returns whether any is not finite, and to be computed again: values near the end of float32 may overflow as long as
 *   they are not divided
 */
function storeBlock(d: usize, work: usize, unit: i32, split: i32, rows: i32): bool {
  const columns = word(d, D.valueDim);
  const bytes = paddedBytes(columns);
  const whole = word(d, D.splits) == 1;
  const half = word(d, D.isFloat16) != 0;
  const copy = work + size(d, D.workRow);
  const copy2 = copy + 2 * bytes;
  const rest = copy + 4 * bytes;
  let again = false;
  for (let r = 0; r < rows; r += 4) {
    const state = rowState(d, work, r);
    const from = outputLanes(d, work, r);
    const real = min(4, rows - r);
    if (unseen(state)) clearLanes(from, bytes);
    let bad: v128;
    if (whole && !half) {
      finishRows(d, work, r, real);
      // Rows that fill up the last panel are copies of the last one, and overwrite it with the same.
      bad = transposeRows(
        from,
        columns,
        v128.load(state, FACTOR),
        outputRow(d, work, r),
        outputRow(d, work, r + 1),
        outputRow(d, work, r + 2),
        outputRow(d, work, r + 3),
        rest,
      );
    } else if (whole) {
      const one = f32x4.splat(1);
      transposeRows(from, columns, one, copy, copy + bytes, copy2, copy2 + bytes, rest);
      storeRows(d, work, r, real, copy, bytes, false);
      continue;
    } else {
      normalizeRows(state);
      const mean = v128.load(state, FACTOR);
      bad = transposeRows(from, columns, mean, copy, copy + bytes, copy2, copy2 + bytes, rest);
      storePartials(d, work, unit, split, r, real, copy, bytes);
      if (half) continue;
    }
    if (v128.any_true(bad)) again = true;
  }
  return again;
}

/** Mends rows that were computed again, with halves of weights that are divided. */
function mendRows(d: usize, work: usize, unit: i32, split: i32, rows: i32): void {
  const columns = word(d, D.valueDim);
  const bytes = paddedBytes(columns);
  const copy = work + size(d, D.workRow);
  const copy2 = copy + 2 * bytes;
  const one = f32x4.splat(1);
  const whole = word(d, D.splits) == 1;
  for (let r = 0; r < rows; r++) {
    if ((r & 3) == 0) {
      const from = outputLanes(d, work, r);
      transposeRows(from, columns, one, copy, copy + bytes, copy2, copy2 + bytes, copy + 4 * bytes);
    }
    const row = whole ? outputRow(d, work, r) : partialOutput(d, unit, split, r);
    mendRow(row, copy + bytes * <usize>(r & 3), columns);
  }
}

/** Zeros four rows of a panel of the output, which no tile has written. */
function clearLanes(output: usize, bytes: usize): void {
  const end = output + PANEL * bytes;
  while (output < end) {
    v128.store(output, i32x4.splat(0));
    output += STEP;
  }
}
