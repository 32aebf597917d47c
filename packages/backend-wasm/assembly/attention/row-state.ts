import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
import { LOWEST } from "../math/constants";
import { firstRow, keyHead, rowCount, sequence } from "./unit";

// State of the rows of the block at work: for each panel of 8 rows, arrays of 8 elements of 32 bits, one after
// another, whose offsets in bytes are the constants here. Rows are stacked query by query:
// row = i · group + head within the group, so that positions do not descend. Rows that fill up the last panel
// repeat the last real one.

/** First key that a row sees by lengths and, unless keys have positions as data, by the band. */
// @ts-ignore: decorator
@inline
export const LO: usize = 0;
/** Key after the last that it sees. */
// @ts-ignore: decorator
@inline
export const HI: usize = 32;
/** Its position, float32, or int32 where positions are data; set where there is ALiBi. */
// @ts-ignore: decorator
@inline
export const POSITION: usize = 64;
/** ALiBi slope, float32; set where there is ALiBi. */
// @ts-ignore: decorator
@inline
export const SLOPE: usize = 96;
/** Address of the mask of key 0; set where there is a mask. */
// @ts-ignore: decorator
@inline
export const MASK: usize = 128;
/** Address of the bias of key 0; set where there is a bias. */
// @ts-ignore: decorator
@inline
export const BIAS: usize = 160;
/** Largest score so far, in the units that the softmax sees, float32. NaN is passed over. */
// @ts-ignore: decorator
@inline
export const MAX: usize = 192;
/** Sum of the weights so far, float32. */
// @ts-ignore: decorator
@inline
export const SUM: usize = 224;
/** The query head. */
// @ts-ignore: decorator
@inline
export const HEAD: usize = 256;
/** The row's index in `[batch, queryHeads, queryLength]`. */
// @ts-ignore: decorator
@inline
export const INDEX: usize = 288;
/** Factor that turns a row's sums of weighted values into its output, float32: known when all keys are done. */
// @ts-ignore: decorator
@inline
export const FACTOR: usize = 320;
/** Address of the row's query. */
// @ts-ignore: decorator
@inline
export const QUERY: usize = 352;

/** Lowest position of a key that the row sees, int32; set where keys have positions as data, as is the next one. */
// @ts-ignore: decorator
@inline
export const LEFT: usize = 416;
/** Highest position of a key that the row sees, int32. */
// @ts-ignore: decorator
@inline
export const RIGHT: usize = 448;
/** Values that a panel's rows share: the eight words below. */
// @ts-ignore: decorator
@inline
const BOUNDS: usize = 480;

/** Offsets to a panel's state. First key that any of its rows sees, as `LO` says. */
// @ts-ignore: decorator
@inline
export const ANY_FROM: usize = BOUNDS;
/** Key after the last that any row sees. */
// @ts-ignore: decorator
@inline
export const ANY_TO: usize = BOUNDS + 4;
/** First key from which on every row sees keys. */
// @ts-ignore: decorator
@inline
export const ALL_FROM: usize = BOUNDS + 8;
/** Key after the last that every row sees. */
// @ts-ignore: decorator
@inline
export const ALL_TO: usize = BOUNDS + 12;
/** Lowest position of a key that any row sees; set where `LEFT` is. */
// @ts-ignore: decorator
@inline
export const ANY_LEFT: usize = BOUNDS + 16;
/** Highest position of a key that any row sees. */
// @ts-ignore: decorator
@inline
export const ANY_RIGHT: usize = BOUNDS + 20;
/** Lowest position of a key that every row sees. */
// @ts-ignore: decorator
@inline
export const ALL_LEFT: usize = BOUNDS + 24;
/** Highest position of a key that every row sees. */
// @ts-ignore: decorator
@inline
export const ALL_RIGHT: usize = BOUNDS + 28;

/** The answer of `anyHidden`, which takes the place of the maximum of a row that a panel of few rows does not have. */
// @ts-ignore: decorator
@inline
export const ANY_HIDDEN: usize = MAX + 4 * <usize>D.fewRows;

/** Whether any of few rows may not see any key of the tile. */
export function anyHidden(d: usize, work: usize): bool {
  return load<i32>(rowState(d, work, 0), ANY_HIDDEN) != 0;
}

/** Address of the position of the sequence's key 0, where keys have positions as data; 0 otherwise. */
export let keyPositions: usize = 0;

/** Address of the state of the panel of row r. */
// @ts-ignore: decorator
@inline
export function panelState(d: usize, work: usize, r: i32): usize {
  return work + size(d, D.workRows) + <usize>(r & -D.panelRows) * D.rowStateBytes;
}

/** The least of a word of all panels: the constants above. */
export function leastOf(d: usize, work: usize, rows: i32, which: usize): i32 {
  let least = i32.MAX_VALUE;
  for (let r = 0; r < rows; r += D.panelRows) {
    least = min(least, load<i32>(panelState(d, work, r) + which));
  }
  return least;
}

/** The greatest of a word of all panels. */
export function greatestOf(d: usize, work: usize, rows: i32, which: usize): i32 {
  let greatest = i32.MIN_VALUE;
  for (let r = 0; r < rows; r += D.panelRows) {
    greatest = max(greatest, load<i32>(panelState(d, work, r) + which));
  }
  return greatest;
}

/** Address of the state of row r, and of the rows after it in its panel: the arrays above are offsets to it. */
// @ts-ignore: decorator
@inline
export function rowState(d: usize, work: usize, r: i32): usize {
  const panel = <usize>(r & -D.panelRows);
  return work + size(d, D.workRows) + panel * D.rowStateBytes + 4 * <usize>(r & (D.panelRows - 1));
}

/** Multiplies the `FACTOR` of rows, of which there are a multiple of four. */
export function scaleFactors(d: usize, work: usize, rows: i32, factor: f32): void {
  for (let r = 0; r < rows; r += 4) {
    const state = rowState(d, work, r);
    v128.store(state, f32x4.mul(v128.load(state, FACTOR), f32x4.splat(factor)), FACTOR);
  }
}

/** {@link rowState} as a call, which is shorter, for what is not done often. */
export function stateOf(d: usize, work: usize, r: i32): usize {
  return rowState(d, work, r);
}

/** Number of keys of a sequence that exist. */
export function existingKeys(d: usize): i32 {
  return load<i32>(size(d, D.lengthsPointer) + 4 * <usize>sequence);
}

/** Whether none of four rows has seen a key. */
export function unseen(state: usize): bool {
  return !v128.any_true(v128.load(state, SUM));
}

/** The number that a table has for the unit's sequence, such as the start of its rows; 0 without a table. */
export function startOf(d: usize, pointer: usize): i32 {
  const starts = size(d, pointer);
  return starts ? load<i32>(starts + 4 * <usize>sequence) : 0;
}

/**
 * Sets the state of the unit's rows.
 *
 * @param padded rows with those that fill up the last panel
 */
export function setRows(d: usize, work: usize, padded: i32): void {
  const b = sequence;
  const rows = rowCount;
  const heads = word(d, D.queryHeads);
  const group = word(d, D.group);
  const length = word(d, D.queryLength);
  const offset = <i64>load<i32>(size(d, D.offsetsPointer) + 4 * <usize>b);
  const keys = existingKeys(d);
  const left = word(d, D.bandLeft);
  const right = word(d, D.bandRight);
  const slopes = size(d, D.alibiPointer);
  const ragged = word(d, D.unitsPointer) != 0;
  keyPositions = size(d, D.keyPositionsPointer);
  if (keyPositions) {
    const first = <usize>b * size(d, D.keyPositionsStride) + <usize>startOf(d, D.keyStartsPointer);
    keyPositions += 4 * first;
  }
  const queryPositions = size(d, D.queryPositionsPointer);
  const scattered = queryPositions != 0 || keyPositions != 0;
  const positional = scattered || left >= 0 || right >= 0 || slopes != 0;
  const all = i32x4.splat(keys);
  const lowest = f32x4.splat(LOWEST);
  const nothing = i32x4.splat(0);
  let i = firstRow / group;
  let member = firstRow % group;
  let h = keyHead * group + member;
  /** First row of the sequence in the tensors. */
  const before = startOf(d, D.queryStartsPointer);
  let index = (ragged ? h : b * heads + h) * length + before + i;
  let position = queryPositions + 4 * (<usize>b * size(d, D.queryPositionsStride) + <usize>(before + i));
  const queryStep = inBytes(d, D.queryRowStride, D.isFloat16);
  const queryHeadStep = inBytes(d, D.queryHeadStride, D.isFloat16);
  let query =
    size(d, D.queryPointer) +
    <usize>b * inBytes(d, D.queryBatchStride, D.isFloat16) +
    <usize>h * queryHeadStep +
    <usize>(before + i) * queryStep;
  const hasMask = word(d, D.maskPointer) != 0;
  const maskStep = size(d, D.maskRowStride);
  const maskHeadStep = size(d, D.maskHeadStride);
  let mask =
    size(d, D.maskPointer) +
    <usize>b * size(d, D.maskBatchStride) +
    <usize>h * maskHeadStep +
    <usize>i * maskStep;
  const hasBias = word(d, D.biasPointer) != 0;
  const biasStep = inBytes(d, D.biasRowStride, D.biasIsFloat16);
  const biasHeadStep = inBytes(d, D.biasHeadStride, D.biasIsFloat16);
  let bias =
    size(d, D.biasPointer) +
    <usize>b * inBytes(d, D.biasBatchStride, D.biasIsFloat16) +
    <usize>h * biasHeadStep +
    <usize>i * biasStep;
  const back = group - 1;
  const successive = group == 1 && !positional;
  const lastRow = i32x4.splat(rows - 1);
  let state = rowState(d, work, 0);
  for (let r = 0; r < padded; r++) {
    if ((r & 3) == 0) {
      // Four rows at once; what depends on their positions is stored over it.
      state = rowState(d, work, r);
      v128.store(state, nothing, LO);
      v128.store(state, all, HI);
      v128.store(state, lowest, MAX);
      v128.store(state, nothing, SUM);
      if (successive) {
        const row = i32x4.min_s(i32x4.add(i32x4.splat(r), i32x4(0, 1, 2, 3)), lastRow);
        v128.store(state, i32x4.splat(h), HEAD);
        v128.store(state, i32x4.add(i32x4.splat(index), row), INDEX);
        v128.store(state, stepped(query, queryStep, row), QUERY);
        if (hasMask) v128.store(state, stepped(mask, maskStep, row), MASK);
        if (hasBias) v128.store(state, stepped(bias, biasStep, row), BIAS);
        r += 3;
        continue;
      }
    }
    store<i32>(state, h, HEAD);
    store<i32>(state, index, INDEX);
    store<usize>(state, query, QUERY);
    if (hasMask) store<usize>(state, mask, MASK);
    if (hasBias) store<usize>(state, bias, BIAS);
    if (positional) {
      // 64 bits: positions and windows reach past 2^31 together.
      const p = queryPositions ? <i64>load<i32>(position) : <i64>i + offset;
      if (keyPositions) {
        store<i32>(state, left < 0 ? i32.MIN_VALUE : <i32>max<i64>(i32.MIN_VALUE, p - left), LEFT);
        store<i32>(state, right < 0 ? i32.MAX_VALUE : <i32>min<i64>(i32.MAX_VALUE, p + right), RIGHT);
      } else {
        const lo = left < 0 ? 0 : max<i64>(0, min<i64>(keys, p - left));
        store<i32>(state, <i32>lo, LO);
        if (right >= 0) store<i32>(state, <i32>max<i64>(lo, min<i64>(keys, p + right + 1)), HI);
      }
      if (scattered) store<i32>(state, <i32>p, POSITION);
      else store<f32>(state, <f32>p, POSITION);
      if (slopes) store<f32>(state, load<f32>(slopes + 4 * <usize>h), SLOPE);
    }
    state += 4;
    if (r + 1 >= rows) continue;
    if (member < back) {
      member++;
      h++;
      index += length;
      query += queryHeadStep;
      mask += maskHeadStep;
      bias += biasHeadStep;
    } else {
      // The next query, and the first head of the group.
      member = 0;
      i++;
      position += 4;
      h -= back;
      index += 1 - back * length;
      query += queryStep - <usize>back * queryHeadStep;
      mask += maskStep - <usize>back * maskHeadStep;
      bias += biasStep - <usize>back * biasHeadStep;
    }
  }
  for (let r = 0; r < padded; r += D.panelRows) {
    setBounds(panelState(d, work, r), min(D.panelRows, padded - r), scattered);
  }
}

/**
 * Sets what the rows of a panel have in common.
 *
 * @param scattered whether positions are data; otherwise they do not descend from row to row
 */
function setBounds(panel: usize, rows: i32, scattered: bool): void {
  const last = panel + 4 * <usize>(rows - 1);
  if (!scattered) {
    store<i32>(panel, load<i32>(panel, LO), ANY_FROM);
    store<i32>(panel, load<i32>(last, HI), ANY_TO);
    store<i32>(panel, load<i32>(last, LO), ALL_FROM);
    store<i32>(panel, load<i32>(panel, HI), ALL_TO);
    return;
  }
  boundsOf(panel, last, LO, ANY_FROM, ALL_FROM);
  boundsOf(panel, last, HI, ALL_TO, ANY_TO);
  boundsOf(panel, last, LEFT, ANY_LEFT, ALL_LEFT);
  boundsOf(panel, last, RIGHT, ALL_RIGHT, ANY_RIGHT);
}

/** Stores the least and the greatest of an array of a panel's state. */
function boundsOf(panel: usize, last: usize, array: usize, least: usize, greatest: usize): void {
  let low = i32.MAX_VALUE;
  let high = i32.MIN_VALUE;
  for (let row = panel; row <= last; row += 4) {
    const x = load<i32>(row + array);
    low = min(low, x);
    high = max(high, x);
  }
  store<i32>(panel + least, low);
  store<i32>(panel + greatest, high);
}

/** Addresses of four rows, `step` bytes apart. */
// @ts-ignore: decorator
@inline
export function stepped(from: usize, step: usize, row: v128): v128 {
  return i32x4.add(i32x4.splat(from), i32x4.mul(i32x4.splat(step), row));
}

/** A stride in bytes. */
// @ts-ignore: decorator
@inline
function inBytes(d: usize, stride: usize, isFloat16: usize): usize {
  return size(d, stride) << (word(d, isFloat16) ? 1 : 2);
}
