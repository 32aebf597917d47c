import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";

// The unit of work that this thread computes: a block of query rows with one key head. Globals belong to an
// instance of the module, of which each thread has its own.

/** Batch entry, or sequence of a ragged batch. */
export let sequence: i32 = 0;
export let keyHead: i32 = 0;
/** First of its rows among those of the sequence and key head. */
export let firstRow: i32 = 0;
export let rowCount: i32 = 0;
/** Whether the kernel for few rows computes it. */
export let isFew: bool = false;

/** Sets the variables above. */
export function readUnit(d: usize, unit: i32): void {
  const units = size(d, D.unitsPointer);
  if (units) {
    const at = units + D.unitBytes * <usize>unit;
    sequence = load<i32>(at, D.unitSequence);
    keyHead = load<i32>(at, D.unitKeyHead);
    firstRow = load<i32>(at, D.unitStart);
    rowCount = load<i32>(at, D.unitRows);
    isFew = load<i32>(at, D.unitKernel) == D.kernelFew;
    return;
  }
  const blocks = word(d, D.blocks);
  const head = unit / blocks;
  sequence = head / word(d, D.kvHeads);
  keyHead = head % word(d, D.kvHeads);
  isFew = word(d, D.kernel) == D.kernelFew;
  // Later blocks see more keys where there is a band: the longest first leaves no long one to the end.
  const block = blocks - 1 - (unit % blocks);
  firstRow = block * word(d, D.blockRows);
  rowCount = min(word(d, D.blockRows), word(d, D.groupRows) - firstRow);
}
