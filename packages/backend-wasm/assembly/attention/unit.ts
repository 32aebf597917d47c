import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";

// The unit of work that this thread computes: a block of query rows with one key head. Globals belong to an
// instance of the module, of which each thread has its own.

/** Number of the unit. */
export let unitNumber: i32 = 0;
/** Batch entry, or sequence of a ragged batch. */
export let sequence: i32 = 0;
/** Key head; of a unit of several, the one that is selected. */
export let keyHead: i32 = 0;
/** Key heads of the unit. */
export let keyHeads: i32 = 1;
/** First row of the selected key head among the unit's partial results. */
export let partialStart: i32 = 0;
/** First of its rows among those of the sequence and key head. */
export let firstRow: i32 = 0;
export let rowCount: i32 = 0;
/** Whether the kernel for few rows computes it. */
export let isFew: bool = false;

/** First of the unit's key heads. */
let firstHead: i32 = 0;

/** Selects a key head of the unit: `which` counts from 0. */
export function selectHead(which: i32): void {
  keyHead = firstHead + which;
  partialStart = which * D.fewRows;
}

/** Which of the unit's key heads is selected, from 0. */
export function selectedHead(): i32 {
  return keyHead - firstHead;
}

/** Sets the variables above, and selects the first key head. */
export function readUnit(d: usize, unit: i32): void {
  unitNumber = unit;
  const units = size(d, D.unitsPointer);
  if (units) {
    const at = units + D.unitBytes * <usize>unit;
    sequence = load<i32>(at, D.unitSequence);
    firstHead = load<i32>(at, D.unitKeyHead);
    firstRow = load<i32>(at, D.unitStart);
    rowCount = load<i32>(at, D.unitRows);
    isFew = load<i32>(at, D.unitKernel) == D.kernelFew;
    keyHeads = isFew ? word(d, D.unitKeyHeads) : 1;
    selectHead(0);
    return;
  }
  isFew = word(d, D.kernel) == D.kernelFew;
  keyHeads = word(d, D.unitKeyHeads);
  const blocks = word(d, D.blocks);
  const groups = word(d, D.kvHeads) / keyHeads;
  const group = unit / blocks;
  sequence = group / groups;
  firstHead = (group % groups) * keyHeads;
  selectHead(0);
  // Later blocks see more keys where there is a band: the longest first leaves no long one to the end.
  const block = blocks - 1 - (unit % blocks);
  firstRow = block * word(d, D.blockRows);
  rowCount = min(word(d, D.blockRows), word(d, D.groupRows) - firstRow);
}
