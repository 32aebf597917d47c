import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
import { attendFew } from "./few";
import { storeRows } from "./output";
import { mergeRow } from "./partial";
import { setRows } from "./row-state";
import { paddedBytes } from "./tile-source";
import { attendTiled } from "./tiled";

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
 * @param item `(head · blocks + block) · splits + split`
 */
export function attend(d: usize, work: usize, item: i32): void {
  const splits = word(d, D.splits);
  const unit = item / splits;
  const split = item % splits;
  const blocks = word(d, D.blocks);
  const head = unit / blocks;
  const b = head / word(d, D.kvHeads);
  const g = head % word(d, D.kvHeads);
  if (word(d, D.kernel) == D.kernelFew) attendFew(d, work, unit, b, g, split);
  // Later blocks see more keys where there is a band: the longest first leaves no long one to the end.
  else attendTiled(d, work, unit, b, g, blocks - 1 - (unit % blocks), split);
}

/**
 * Merges the parts of a block's rows where keys are split, once they are all done.
 *
 * @param unit `head · blocks + block`
 */
export function merge(d: usize, work: usize, unit: i32): void {
  const blocks = word(d, D.blocks);
  const head = unit / blocks;
  const b = head / word(d, D.kvHeads);
  const g = head % word(d, D.kvHeads);
  const few = word(d, D.kernel) == D.kernelFew;
  const block = few ? 0 : blocks - 1 - (unit % blocks);
  const total = word(d, D.groupRows);
  const start = block * word(d, D.blockRows);
  const rows = min(word(d, D.blockRows), total - start);
  setRows(d, work, b, g, start, rows, (rows + 3) & -4);
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
