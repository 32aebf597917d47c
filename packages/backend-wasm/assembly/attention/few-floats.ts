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

/**
 * Computes with the keys `from ≤ j < to`, of several key heads in turn for each page: dot products with keys, or sums of values.
 *
 * @param heads 1 for the selected one alone
 * @param single whether of one row
 * @param x scores, which are stored, or the weights that values are added with to the tile's sums: `[keys, 4]`, or
 *   `[keys]` of a single row, of whose scores up to three more are overwritten
 */
export function computeFloats(
  d: usize,
  work: usize,
  heads: i32,
  from: i32,
  to: i32,
  single: bool,
  x: usize,
  isValues: bool,
): void {
  const pointer = isValues ? D.valuePointer : D.keyPointer;
  const columns = word(d, isValues ? D.valueDim : D.headDim);
  const bytes = paddedBytes(columns);
  // Rows of float32 whose size is a multiple of four are used where they lie.
  const packs = word(d, D.stored) != D.storedFloat32 || (columns & 3) != 0;
  const stride = tileStride(d, pointer, columns, packs);
  // Values are copied after keys are read: both copies would compete for the cache.
  const copy = work + size(d, isValues ? D.workValue : D.workKey);
  const dense = stride == bytes;
  const brings = dense && !packs && !single;
  const touches = !packs && (!single || word(d, D.fromMemory) != 0);
  const step = size(d, D.workHead);
  while (from < to) {
    const run = runAtOnce(d, from, to, heads, packs, dense, bytes);
    const came = brings && bringAhead(d, pointer, from, run, bytes);
    let at = work;
    let own = x;
    for (let head = 0; head < heads; head++) {
      if (heads > 1) selectHead(head);
      const row = tileAddress(d, pointer, from, run, columns, packs, copy);
      if (touches && !came) touchRows(row, stride, run, bytes);
      if (isValues) {
        const sums = at + size(d, D.workRow);
        if (single) singleValues(own, run, row, stride, bytes, sums, !touches);
        else if (anyHidden(d, at) && !allFinite(row, stride, run, columns)) {
          guardedFewValues(own, run, row, stride, bytes, sums);
        } else fewValues(own, run, row, stride, bytes, sums);
      } else {
        const query = at + size(d, D.workQuery);
        if (single) singleScores(query, bytes, row, stride, run, own);
        else fewScores(query, bytes, row, stride, run, own);
      }
      at += step;
      own += step;
    }
    x += <usize>run * (single ? 4 : 16);
    from += run;
  }
}
