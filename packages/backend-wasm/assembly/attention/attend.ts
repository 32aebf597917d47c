import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
import { attendFew } from "./few";
import { storeRows } from "./output";
import { mergeRow } from "./partial";
import { setRows } from "./row-state";
import { attendShort } from "./short";
import { paddedBytes } from "./tile-source";
import { attendTiled } from "./tiled";
import { isFew, keyHeads, readUnit, rowCount, selectHead } from "./unit";

/**
 * Number of elements of a tile's keys, or values, that the build works best with. Without fused multiply-add, the loads of
 * values are what its kernel waits for, and a tile has to stay in the first-level cache; with it, the
 * second level keeps up, and longer tiles start the kernels less often.
 */
export const tileElements: i32 = ASC_FEATURE_RELAXED_SIMD ? 23040 : 5760;

/**
 * One item of a job: a block of query rows of one key head against one part of the keys. Items write to
 * different places, so that any thread can take any of them at any time.
 *
 * @param d the job's descriptor: see src/shared/attention.ts
 * @param work this thread's workspace
 * @param item `unit · splits + split`
 */
export function attend(d: usize, work: usize, item: i32): void {
  const splits = word(d, D.splits);
  const unit = item / splits;
  readUnit(d, unit);
  if (isFew) {
    attendFew(d, work, unit, item % splits);
    return;
  }
  if (word(d, D.kernel) == D.kernelShort && attendShort(d, work)) return;
  attendTiled(d, work, unit, item % splits);
}

/**
 * Merges the parts of a unit's rows where keys are split, once they are all done.
 *
 * @param unit as in `attend`
 */
export function merge(d: usize, work: usize, unit: i32): void {
  readUnit(d, unit);
  for (let head = 0; head < keyHeads; head++) {
    selectHead(head);
    mergeRows(d, work, unit);
  }
}

function mergeRows(d: usize, work: usize, unit: i32): void {
  const rows = rowCount;
  setRows(d, work, (rows + 3) & -4);
  const output = work + size(d, D.workRow);
  const bytes = paddedBytes(word(d, D.valueDim));
  for (let r = 0; r < rows; r += 4) {
    const real = min(4, rows - r);
    for (let lane = 0; lane < real; lane++) {
      mergeRow(d, work, unit, r + lane, output + bytes * <usize>lane);
    }
    storeRows(d, work, r, real, output, bytes, true);
  }
}
