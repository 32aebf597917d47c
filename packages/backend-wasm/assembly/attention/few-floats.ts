import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
import { fewScores, scoresPart, singleScores } from "./kernels/few-scores";
import { fewValues, singleValues, valuesPart } from "./kernels/few-values";
import { allFinite, guardedFewValues } from "./kernels/guarded";
import { chunkOf, touchRows } from "./kernels/touch";
import {
  addressInPlace,
  headStrideInPlace,
  paddedBytes,
  runFrom,
  tileAddress,
  tileStride,
  valuesFinite,
} from "./tile-source";
import { keyHeads, selectedHead } from "./unit";

// Steps of a tile for few rows on float32 rows: where they lie, in runs if they are in pages, or as copies.

/** Whether keys and values of the tile at hand were brought into the cache while the tile before it was multiplied. */
let arrived: bool = false;
/** Whether a tile as long follows, to be brought into the cache meanwhile. */
let followed: bool = false;
/** Keys of the unit, of which those in pages are brought into the cache page by page. */
let unitFirst: i32 = 0;
let unitLast: i32 = 0;

/** Before the first tile of a unit. */
export function startTiles(first: i32, last: i32): void {
  followed = false;
  unitFirst = first;
  unitLast = last;
}

/**
 * Before each tile.
 *
 * @param last whether no tile as long as this one follows
 */
export function nextTile(last: bool): void {
  arrived = followed;
  followed = !last;
}

/** Whether the run of the last `bringAhead` was brought into the cache while the one before it was multiplied. */
let came: bool = false;

/**
 * The first of the rows that are brought into the cache while a run without gaps is multiplied: as many as it has, or of
 * a page of which the unit's heads have all keys side by side, each head a share. 0 if none are.
 *
 * @param pointer `D.keyPointer` or `D.valuePointer`
 * @param share bytes from the first that one head brings to the first of the next head's
 */
function bringAhead(d: usize, pointer: usize, from: i32, run: i32, bytes: usize, share: usize): usize {
  const next = from + run;
  if (!word(d, D.pageTablePointer)) {
    came = arrived;
    return followed ? addressInPlace(d, pointer, next) : 0;
  }
  const head = headStrideInPlace(d, pointer);
  const isWhole = run == word(d, D.pageSize) && (keyHeads == 1 || head == <usize>run * bytes);
  came = isWhole && from - run >= unitFirst;
  if (!isWhole || next + run > unitLast) return 0;
  return addressInPlace(d, pointer, next) + (share - head) * <usize>selectedHead();
}

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
    const part = scoresPart(run);
    const ahead = brings ? bringAhead(d, D.keyPointer, from, run, bytes, part) : 0;
    if (touches && !(brings && came)) touchRows(key, stride, run, bytes);
    if (single) singleScores(query, bytes, key, stride, run, scores);
    else fewScores(query, bytes, key, stride, run, scores, ahead, part * <usize>keyHeads);
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
    const part = valuesPart(run, bytes);
    const ahead = brings && part ? bringAhead(d, D.valuePointer, from, run, bytes, part) : 0;
    if (touches && !(brings && part && came)) touchRows(value, stride, run, bytes);
    if (single) singleValues(weights, run, value, stride, bytes, sums, !touches);
    else if (guards) guardedFewValues(weights, run, value, stride, bytes, sums);
    else fewValues(weights, run, value, stride, bytes, sums, ahead, part * <usize>keyHeads);
    weights += <usize>run * (single ? 4 : 16);
    from += run;
  }
}
