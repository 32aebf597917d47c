import * as D from "../../src/shared/attention";
import * as P from "../../src/shared/program";
import { keyPositions, startOf } from "../attention/row-state";
import { firstRow, keyHead, rowCount, sequence, unitNumber } from "../attention/unit";
import { size, word } from "../descriptor";
import { headerWord, listEnd, listStart, registerAt, selectKeys, selectProgram } from "./operands";
import { runList } from "./run";

// The programs of a call at the times when they are run: once a unit, once a tile, and on the rows at hand.

/** Whether the call has programs or a block mask. */
export let hasPrograms: bool = false;
/** Whether it has a score program. */
export let hasScore: bool = false;
/** Whether the registers of keys are those of the tile that was started last. */
let keysReady: bool = false;
/** Keys of that tile. */
let tileFrom: i32 = 0;
let tileTo: i32 = 0;

/** First and last run of each panel of the unit: see src/shared/program.ts; 0 if every key is to be looked at. */
let runStarts: usize = 0;

/** Keys of a tile that rows see some of, and what is to be asked of them: left by {@link visit}. */
export let visitFrom: i32 = 0;
export let visitTo: i32 = 0;
export let visitAsks: i32 = 0;

/** Whether a list has instructions. */
function hasList(list: usize): bool {
  return listStart(list) < listEnd(list);
}

/**
 * Starts the unit that `readUnit` has read, and whose rows `setRows` has set.
 *
 * @param padded rows with those that fill up the last vectors
 */
export function startUnit(d: usize, work: usize, padded: i32): void {
  const program = size(d, D.programPointer);
  hasPrograms = program != 0;
  hasScore = false;
  runStarts = 0;
  if (!program) return;
  selectProgram(program, work + size(d, D.workProgram));
  hasScore = hasList(P.scoreList);
  const units = size(d, D.runUnitsPointer);
  if (units) {
    runStarts = size(d, D.runStartsPointer) + 4 * load<usize>(units + 4 * <usize>unitNumber);
  }
  fillOne(P.batchRegister, sequence);
  const group = word(d, D.group);
  fillOne(P.headRegister, keyHead * group);
  runList(P.unitList, 1);
  fillRows(d, padded);
  runList(P.rowsList, padded >> 2);
}

/** Stores a number in all lanes of a register. */
function fillOne(which: usize, value: i32): void {
  const register = headerWord(which);
  if (register) v128.store(registerAt(register), i32x4.splat(value));
}

/** Fills the registers of heads and queries; rows beyond the last repeat it. */
function fillRows(d: usize, padded: i32): void {
  const heads = headerWord(P.headsRegister);
  const queries = headerWord(P.queryRegister);
  const indices = headerWord(P.queryIndexRegister);
  if (!heads && !queries && !indices) return;
  const group = word(d, D.group);
  const before = startOf(d, D.queryStartsPointer);
  const offset = load<i32>(size(d, D.offsetsPointer) + 4 * <usize>sequence);
  let positions = size(d, D.queryPositionsPointer);
  if (positions) {
    positions += 4 * (<usize>sequence * size(d, D.queryPositionsStride) + <usize>before);
  }
  let at: usize = 0;
  for (let r = 0; r < padded; r++) {
    const row = firstRow + min(r, rowCount - 1);
    const i = row / group;
    if (heads) store<i32>(registerAt(heads) + at, keyHead * group + (row % group));
    if (queries) {
      const position = positions ? load<i32>(positions + 4 * <usize>i) : i + offset;
      store<i32>(registerAt(queries) + at, position);
    }
    if (indices) store<i32>(registerAt(indices) + at, i);
    at += 4;
  }
}

/** Starts the keys `from ≤ j < to`; what depends on them alone is computed when it is needed. */
export function startTile(from: i32, to: i32): void {
  keysReady = false;
  tileFrom = from;
  tileTo = to;
}

function prepareKeys(): void {
  if (keysReady) return;
  keysReady = true;
  const keys = tileTo - tileFrom;
  const positions = headerWord(P.keyRegister);
  const indices = headerWord(P.keyIndexRegister);
  if (positions) {
    const to = registerAt(positions);
    if (keyPositions) memory.copy(to, keyPositions + 4 * <usize>tileFrom, 4 * <usize>keys);
    else fillIndices(to, keys);
  }
  if (indices) fillIndices(registerAt(indices), keys);
  runList(P.keysList, (keys + 3) >> 2);
  const end = listEnd(P.spreadList);
  for (let pair = listStart(P.spreadList); pair < end; pair += 8) {
    let from = registerAt(load<usize>(pair));
    let to = registerAt(load<usize>(pair, 4));
    const last = from + 4 * <usize>keys;
    while (from < last) {
      v128.store(to, v128.load32_splat(from));
      from += 4;
      to += 16;
    }
  }
}

function fillIndices(to: usize, keys: i32): void {
  const four = i32x4.splat(4);
  let index = i32x4.add(i32x4.splat(tileFrom), i32x4(0, 1, 2, 3));
  const end = to + 4 * <usize>keys;
  while (to < end) {
    v128.store(to, index);
    index = i32x4.add(index, four);
    to += 16;
  }
}

/** The first key that any run of a panel has, and the key after the last, within `visitFrom` and `visitTo`. */
export function boundUnit(rows: i32, from: i32, to: i32): void {
  visitFrom = from;
  visitTo = to;
  if (!runStarts) return;
  let first = to;
  let last = from;
  for (let panel: usize = 0; panel < <usize>((rows + D.panelRows - 1) / D.panelRows); panel++) {
    const runs = load<usize>(runStarts + 4 * panel);
    const end = load<usize>(runStarts + 4 * panel, 4);
    if (runs == end) continue;
    first = min(first, load<i32>(runs, P.runFrom));
    last = max(last, load<i32>(end - P.runBytes, P.runTo));
  }
  visitFrom = max(from, first);
  visitTo = min(to, last);
}

/**
 * Finds which of the keys `from ≤ j < to` the rows of a panel may see, as far as runs say.
 *
 * @param r first row of the panel
 * @returns whether there are any: `visitFrom ≤ j < visitTo`, of which `visitAsks` is to be asked
 */
export function visit(r: i32, from: i32, to: i32): bool {
  visitFrom = from;
  visitTo = to;
  visitAsks = 0;
  if (!runStarts || from >= to) return from < to;
  const panel = runStarts + 4 * <usize>(r / D.panelRows);
  let run = load<usize>(panel);
  const end = load<usize>(panel, 4);
  while (run < end && load<i32>(run, P.runTo) <= from) run += P.runBytes;
  if (run == end || load<i32>(run, P.runFrom) >= to) return false;
  visitFrom = max(from, load<i32>(run, P.runFrom));
  let reached = visitFrom;
  while (run < end && load<i32>(run, P.runFrom) < to) {
    // Keys between two runs are hidden by what their runs do not ask.
    if (load<i32>(run, P.runFrom) > reached) visitAsks = everything();
    visitAsks |= load<i32>(run, P.runKind);
    reached = load<i32>(run, P.runTo);
    run += P.runBytes;
  }
  visitTo = min(to, reached);
  return true;
}

/** All that can be asked. */
function everything(): i32 {
  return (hasList(P.maskList) ? P.asksMask : 0) | (hasList(P.blocksList) ? P.asksBlocks : 0);
}

/** Runs a list for keys and rows on the keys `from ≤ j < to`, a chunk at a time. */
function runKeys(list: usize, r: i32, from: i32, to: i32, scores: usize, mask: usize, step: usize): void {
  prepareKeys();
  while (from < to) {
    const keys = min(P.chunkKeys, to - from);
    selectKeys(4 * <usize>r, 16 * <usize>(from - tileFrom), scores, mask, step);
    runList(list, keys);
    from += keys;
    scores += step * <usize>keys;
    mask += step * <usize>keys;
  }
}

/** The mask of the keys that {@link maskRows} left, as their scores lie; 0 if all are visible. */
export let maskAddress: usize = 0;

/**
 * Evaluates what is to be asked of the keys `visitFrom ≤ j < visitTo` of the tile, and narrows them to those that any row
 * sees. The mask stays at `maskAddress`.
 *
 * @param r first of the rows
 * @param last last of the rows that are needed; four rows are `16` bytes apart in a key's scores
 * @param step from key to key
 * @returns whether any key is visible
 */
export function maskRows(r: i32, last: i32, step: usize): bool {
  maskAddress = 0;
  if (!visitAsks) return true;
  const from = visitFrom;
  const to = visitTo;
  const start = registerAt(headerWord(P.maskRegister));
  const end = start + step * <usize>(to - from);
  const columns = <usize>((last - r) / 4 + 1);
  for (let column: usize = 0; column < columns; column++) {
    const mask = start + 16 * column;
    const row = r + 4 * <i32>column;
    if (visitAsks & P.asksMask) runKeys(P.maskList, row, from, to, 0, mask, step);
    else for (let p = mask; p < end; p += step) v128.store(p, i32x4.splat(-1));
    if (visitAsks & P.asksBlocks) runKeys(P.blocksList, row, from, to, 0, mask, step);
  }
  const two = columns == 2;
  let first = start;
  while (first < end && !anyRow(first, two)) first += step;
  if (first == end) return false;
  let behind = end;
  while (!anyRow(behind - step, two)) behind -= step;
  visitFrom = from + <i32>((first - start) / step);
  visitTo = from + <i32>((behind - start) / step);
  let all = true;
  for (let p = first; p < behind && all; p += step) {
    all = i32x4.all_true(v128.load(p)) && (!two || i32x4.all_true(v128.load(p, 16)));
  }
  if (!all) maskAddress = first;
  return true;
}

// @ts-ignore: decorator
@inline
function anyRow(mask: usize, two: bool): bool {
  return v128.any_true(v128.load(mask)) || (two && v128.any_true(v128.load(mask, 16)));
}

/** −∞ where the mask of four rows hides a key. */
export function hideByProgram(column: usize, scores: usize, step: usize, keys: i32): void {
  const hidden = f32x4.splat(-Infinity);
  const end = scores + step * <usize>keys;
  let mask = maskAddress + column;
  while (scores < end) {
    v128.store(scores, v128.bitselect(v128.load(scores), hidden, v128.load(mask)));
    scores += step;
    mask += step;
  }
}

/**
 * Runs the score program on the scores of four rows.
 *
 * @returns whether any is −∞ then, which hides its key
 */
export function changeScores(r: i32, scores: usize, step: usize, from: i32, keys: i32): bool {
  runKeys(P.scoreList, r, from, from + keys, scores, 0, step);
  const hidden = f32x4.splat(-Infinity);
  const end = scores + step * <usize>keys;
  let any = i32x4.splat(0);
  while (scores < end) {
    any = v128.or(any, f32x4.eq(v128.load(scores), hidden));
    scores += step;
  }
  return v128.any_true(any);
}
