import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
import { bringAhead } from "./ahead";
import { fewScores, singleScores } from "./kernels/few-scores";
import { fewValues, singleValues } from "./kernels/few-values";
import { allFinite, guardedFewValues } from "./kernels/guarded";
import { chunkOf, touchRows } from "./kernels/touch";
import { anyHidden } from "./row-state";
import { paddedBytes, runFrom, tileAddress, tileStride } from "./tile-source";
import { selectHead } from "./unit";

// Steps of a tile for few rows on float32 rows: where they lie, in runs if they are in pages, or as copies.

/**
 * Number of the keys `from ≤ j < to` that are computed at once: all of a copy unless heads take turns, and of rows with gaps
 * as many as are brought into the cache at once.
 */
function runAtOnce(
  d: usize,
  from: i32,
  to: i32,
  heads: i32,
  packs: bool,
  dense: bool,
  bytes: usize,
): i32 {
  if (packs && heads == 1) return to - from;
  const run = runFrom(d, from, to);
  return packs || dense ? run : min(run, chunkOf(bytes));
}

/** Rows of float32 whose size is a multiple of four are used where they lie. */
function mustPack(d: usize, columns: usize): bool {
  return word(d, D.stored) != D.storedFloat32 || (word(d, columns) & 3) != 0;
}

/**
 * Dot products with the keys `from ≤ j < to`, of several key heads in turn for each page.
 *
 * @param heads 1 for the selected one alone
 * @param single whether of one row, `[keys]`, and up to three more that are overwritten; otherwise `[keys, 4]`
 */
export function scoreFloats(
  d: usize,
  work: usize,
  heads: i32,
  from: i32,
  to: i32,
  single: bool,
  scores: usize,
): void {
  const query = work + size(d, D.workQuery);
  const columns = word(d, D.headDim);
  const bytes = paddedBytes(columns);
  const packs = mustPack(d, D.headDim);
  const stride = tileStride(d, D.keyPointer, columns, packs);
  const copy = work + size(d, D.workKey);
  const dense = stride == bytes;
  const brings = dense && !packs && !single;
  const touches = !packs && (!single || word(d, D.fromMemory) != 0);
  const step = size(d, D.workHead);
  while (from < to) {
    const run = runAtOnce(d, from, to, heads, packs, dense, bytes);
    let at: usize = 0;
    for (let head = 0; head < heads; head++) {
      if (heads > 1) selectHead(head);
      const key = tileAddress(d, D.keyPointer, from, run, columns, packs, copy);
      const came = brings && bringAhead(d, D.keyPointer, from, run, bytes);
      if (touches && !came) touchRows(key, stride, run, bytes);
      if (single) singleScores(query + at, bytes, key, stride, run, scores + at);
      else fewScores(query + at, bytes, key, stride, run, scores + at);
      at += step;
    }
    scores += <usize>run * (single ? 4 : 16);
    from += run;
  }
}

/** Adds the values `from ≤ j < to`, times their weights, to the tile's sums, of several key heads in turn for each page. */
export function addFloatValues(
  d: usize,
  work: usize,
  heads: i32,
  from: i32,
  to: i32,
  single: bool,
  weights: usize,
): void {
  const columns = word(d, D.valueDim);
  const bytes = paddedBytes(columns);
  const packs = mustPack(d, D.valueDim);
  const stride = tileStride(d, D.valuePointer, columns, packs);
  // After the keys are read: their copy and that of the values would compete for the cache.
  const copy = work + size(d, D.workValue);
  const sums = work + size(d, D.workRow);
  const dense = stride == bytes;
  const brings = dense && !packs && !single;
  const touches = !packs && (!single || word(d, D.fromMemory) != 0);
  const step = size(d, D.workHead);
  while (from < to) {
    const run = runAtOnce(d, from, to, heads, packs, dense, bytes);
    let at: usize = 0;
    for (let head = 0; head < heads; head++) {
      if (heads > 1) selectHead(head);
      const value = tileAddress(d, D.valuePointer, from, run, columns, packs, copy);
      const came = brings && bringAhead(d, D.valuePointer, from, run, bytes);
      if (touches && !came) touchRows(value, stride, run, bytes);
      if (single) singleValues(weights + at, run, value, stride, bytes, sums + at, !touches);
      else if (anyHidden(d, work + at) && !allFinite(value, stride, run, columns)) {
        guardedFewValues(weights + at, run, value, stride, bytes, sums + at);
      } else fewValues(weights + at, run, value, stride, bytes, sums + at);
      at += step;
    }
    weights += <usize>run * (single ? 4 : 16);
    from += run;
  }
}
