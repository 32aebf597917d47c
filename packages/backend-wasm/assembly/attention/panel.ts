import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
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
