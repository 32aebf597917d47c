import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
import { finishColumn, hideOutside } from "./logits";
import { HI, LO, rowState } from "./row-state";
import { paddedBytes } from "./tile-source";

// Panels: eight rows of a block, which are the lanes of two vectors.

/** Rows of a panel. */
// @ts-ignore: decorator
@inline
export const PANEL: i32 = D.panelRows;
/** From one key to the next in a tile's scores, in bytes. */
// @ts-ignore: decorator
@inline
export const STEP: usize = 4 * PANEL;

/** Address of the query of row r and of the lanes after it: for the first row of a panel, of the panel. */
// @ts-ignore: decorator
@inline
export function queryLanes(d: usize, work: usize, r: i32): usize {
  return work + size(d, D.workQuery) + lanesAt(r, word(d, D.headDim));
}

/** The same for the output. */
// @ts-ignore: decorator
@inline
export function outputLanes(d: usize, work: usize, r: i32): usize {
  return work + size(d, D.workOutput) + lanesAt(r, word(d, D.valueDim));
}

/** Distance from the first panel to the first element of row r, in bytes. */
// @ts-ignore: decorator
@inline
function lanesAt(r: i32, columns: i32): usize {
  return <usize>(r & -PANEL) * paddedBytes(columns) + 4 * <usize>(r & (PANEL - 1));
}

/**
 * Steps 2 to 4 of the semantics for a panel.
 *
 * @returns whether any key may be hidden from any row
 */
export function finishPanel(d: usize, work: usize, r: i32, scores: usize, lo: i32, hi: i32): bool {
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
