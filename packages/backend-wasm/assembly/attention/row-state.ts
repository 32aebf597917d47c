import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
import { LOWEST } from "../math/constants";

// State of the rows of the block at work: arrays of 32-bit elements, one after another, each as long as a
// block. Rows are stacked query by query: row = i · group + head within the group, so that positions do not
// descend. Rows that fill up the last panel repeat the last real one.

/** First key that a row sees by lengths and band. */
// @ts-ignore: decorator
@inline
export const LO: usize = 0;
/** Key after the last that it sees. */
// @ts-ignore: decorator
@inline
export const HI: usize = 1;
/** Its position, float32. */
// @ts-ignore: decorator
@inline
export const POSITION: usize = 2;
/** ALiBi slope, float32. */
// @ts-ignore: decorator
@inline
export const SLOPE: usize = 3;
/** Address of the mask of key 0. */
// @ts-ignore: decorator
@inline
export const MASK: usize = 4;
/** Address of the bias of key 0. */
// @ts-ignore: decorator
@inline
export const BIAS: usize = 5;
/** Largest score so far, in the units that the softmax sees, float32. NaN is passed over. */
// @ts-ignore: decorator
@inline
export const MAX: usize = 6;
/** Sum of the weights so far, float32. */
// @ts-ignore: decorator
@inline
export const SUM: usize = 7;
/** The query head. */
// @ts-ignore: decorator
@inline
export const HEAD: usize = 8;
/** The row's index in `[batch, queryHeads, queryLength]`. */
// @ts-ignore: decorator
@inline
export const INDEX: usize = 9;
/** Factor that turns a row's sums of weighted values into its output, float32: known when all keys are done. */
// @ts-ignore: decorator
@inline
export const FACTOR: usize = 10;

/** Address of one of the arrays above, at row r. */
// @ts-ignore: decorator
@inline
export function rowState(d: usize, work: usize, array: usize, r: i32): usize {
  return work + size(d, D.workRows) + 4 * (array * size(d, D.blockRows) + <usize>r);
}

/** Address of query row r in memory. */
export function queryRow(d: usize, work: usize, b: i32, r: i32): usize {
  const head = load<usize>(rowState(d, work, HEAD, r));
  const index = load<usize>(rowState(d, work, INDEX, r));
  const i = index % size(d, D.queryLength);
  const at =
    <usize>b * size(d, D.queryBatchStride) +
    head * size(d, D.queryHeadStride) +
    i * size(d, D.queryRowStride);
  return size(d, D.queryPointer) + at * (word(d, D.isFloat16) ? 2 : 4);
}

/**
 * Sets the state of a block's rows.
 *
 * @param start the block's first row among the rows of key head g
 * @param rows how many real rows it has
 * @param padded rows with those that fill up the last panel
 */
export function setRows(
  d: usize,
  work: usize,
  b: i32,
  g: i32,
  start: i32,
  rows: i32,
  padded: i32,
): void {
  const heads = word(d, D.queryHeads);
  const group = heads / word(d, D.kvHeads);
  const length = word(d, D.queryLength);
  const offset = load<i32>(size(d, D.offsetsPointer) + 4 * <usize>b);
  const keys = load<i32>(size(d, D.kvLengthsPointer) + 4 * <usize>b);
  const left = word(d, D.bandLeft);
  const right = word(d, D.bandRight);
  const slopes = size(d, D.alibiPointer);
  const mask = size(d, D.maskPointer);
  const bias = size(d, D.biasPointer);
  for (let r = 0; r < padded; r++) {
    const row = start + min(r, rows - 1);
    const i = row / group;
    const h = g * group + (row % group);
    // 64 bits: positions and windows reach past 2^31 together.
    const p = <i64>i + <i64>offset;
    const lo = left < 0 ? 0 : max<i64>(0, min<i64>(keys, p - left));
    const hi = right < 0 ? <i64>keys : max<i64>(lo, min<i64>(keys, p + right + 1));
    store<i32>(rowState(d, work, LO, r), <i32>lo);
    store<i32>(rowState(d, work, HI, r), <i32>hi);
    store<f32>(rowState(d, work, POSITION, r), <f32>p);
    store<f32>(
      rowState(d, work, SLOPE, r),
      slopes ? load<f32>(slopes + 4 * <usize>h) : 0,
    );
    if (mask) {
      const at =
        <usize>b * size(d, D.maskBatchStride) +
        <usize>h * size(d, D.maskHeadStride) +
        <usize>i * size(d, D.maskRowStride);
      store<usize>(rowState(d, work, MASK, r), mask + at);
    }
    if (bias) {
      const at =
        <usize>b * size(d, D.biasBatchStride) +
        <usize>h * size(d, D.biasHeadStride) +
        <usize>i * size(d, D.biasRowStride);
      store<usize>(rowState(d, work, BIAS, r), bias + at * (word(d, D.biasIsFloat16) ? 2 : 4));
    }
    store<f32>(rowState(d, work, MAX, r), LOWEST);
    store<f32>(rowState(d, work, SUM, r), 0);
    store<i32>(rowState(d, work, HEAD, r), h);
    store<i32>(rowState(d, work, INDEX, r), (b * heads + h) * length + i);
  }
}
