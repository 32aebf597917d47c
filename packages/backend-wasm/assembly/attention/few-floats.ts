import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
import { bringAhead } from "./ahead";
import { fewScores, singleScores } from "./kernels/few-scores";
import { fewValues, singleValues } from "./kernels/few-values";
import { allFinite, guardedFewValues } from "./kernels/guarded";
import { chunkOf, touchRows } from "./kernels/touch";
import {
  addressInPlace,
  paddedBytes,
  runFrom,
  tileAddress,
  tileStride,
  valuesFinite,
} from "./tile-source";

// Steps of a tile for few rows on float32 rows: where they lie, in runs if they are in pages, or as copies.

/** Number of the keys `from ≤ j < to` that are computed at once: rows with gaps are brought into the cache a few at a time. */
function runAtOnce(d: usize, from: i32, to: i32, dense: bool, bytes: usize): i32 {
  const run = runFrom(d, from, to);
  return dense ? run : min(run, chunkOf(bytes));
}

/** Rows of float32 whose size is a multiple of four are used where they lie. */
function mustPack(d: usize, columns: usize): bool {
  return word(d, D.stored) != D.storedFloat32 || (word(d, columns) & 3) != 0;
}

/**
 * Dot products with the keys `from ≤ j < to`.
 *
 * @param single whether of one row, `[keys]`, and up to three more that are overwritten; otherwise `[keys, 4]`
 */
export function scoreFloats(
  d: usize,
  work: usize,
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
  if (packs) tileAddress(d, D.keyPointer, from, to - from, columns, true, copy);
  const dense = stride == bytes;
  const brings = dense && !packs && !single;
  const touches = !packs && (!single || word(d, D.fromMemory) != 0);
  while (from < to) {
    const run = packs ? to - from : runAtOnce(d, from, to, dense, bytes);
    const key = packs ? copy : addressInPlace(d, D.keyPointer, from);
    const came = brings && bringAhead(d, D.keyPointer, from, run, bytes);
    if (touches && !came) touchRows(key, stride, run, bytes);
    if (single) singleScores(query, bytes, key, stride, run, scores);
    else fewScores(query, bytes, key, stride, run, scores);
    scores += <usize>run * (single ? 4 : 16);
    from += run;
  }
}

/**
 * Adds the values `from ≤ j < to`, times their weights, to the tile's sums.
 *
 * @param partial whether any row may not see any key
 */
export function addFloatValues(
  d: usize,
  work: usize,
  from: i32,
  to: i32,
  single: bool,
  partial: bool,
  weights: usize,
): void {
  const columns = word(d, D.valueDim);
  const bytes = paddedBytes(columns);
  const packs = mustPack(d, D.valueDim);
  const stride = tileStride(d, D.valuePointer, columns, packs);
  // After the keys are read: their copy and that of the values would compete for the cache.
  const copy = work + size(d, D.workValue);
  if (packs) tileAddress(d, D.valuePointer, from, to - from, columns, true, copy);
  let guards = partial;
  if (partial && packs) guards = !allFinite(copy, stride, to - from, columns);
  else if (partial) guards = !valuesFinite(d, from, to);
  const sums = work + size(d, D.workRow);
  const dense = stride == bytes;
  const brings = dense && !packs && !single;
  const touches = !packs && (!single || word(d, D.fromMemory) != 0);
  while (from < to) {
    const run = packs ? to - from : runAtOnce(d, from, to, dense, bytes);
    const value = packs ? copy : addressInPlace(d, D.valuePointer, from);
    const came = brings && bringAhead(d, D.valuePointer, from, run, bytes);
    if (touches && !came) touchRows(value, stride, run, bytes);
    if (single) singleValues(weights, run, value, stride, bytes, sums, !touches);
    else if (guards) guardedFewValues(weights, run, value, stride, bytes, sums);
    else fewValues(weights, run, value, stride, bytes, sums);
    weights += <usize>run * (single ? 4 : 16);
    from += run;
  }
}
