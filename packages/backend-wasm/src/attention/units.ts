import { type BoundAttention, type WorkItem, WorkList } from "@heed/core";
import type { RunUnit } from "../program/runs.js";
import * as D from "../shared/attention.js";
import type { WasmPlan } from "./plan.js";

/** Words of a unit. */
export const unitWords: number = D.unitBytes / 4;

/**
 * The units of a call of a ragged batch, as the descriptor has them. If threads share them, those that take longest
 * come first.
 */
export function unitsOf(bound: BoundAttention, plan: WasmPlan, threads: number): Int32Array {
  const { grid } = plan;
  const list = new WorkList(grid, bound);
  const starts = bound.queryStarts as Int32Array;
  const isFew = ({ sequence }: WorkItem): boolean => {
    const queries = (starts[sequence + 1] as number) - (starts[sequence] as number);
    return plan.fewUnits && grid.group * queries <= D.fewRows;
  };
  // A unit for few rows has several key heads.
  const units = Array.from({ length: list.items }, (_, i) => list.item(i)).filter(
    (item) => !isFew(item) || item.keyHead % plan.unitKeyHeads === 0,
  );
  if (threads > 1) {
    const work = ({ sequence, start, end }: WorkItem): number =>
      (end - start) * (bound.kvLengths[sequence] as number);
    units.sort((a, b) => work(b) - work(a));
  }
  const words = new Int32Array(unitWords * units.length);
  for (const [i, unit] of units.entries()) {
    const { sequence, keyHead, start, end } = unit;
    const at = unitWords * i;
    words[at + D.unitSequence / 4] = sequence;
    words[at + D.unitKeyHead / 4] = keyHead;
    words[at + D.unitStart / 4] = start;
    words[at + D.unitRows / 4] = end - start;
    words[at + D.unitKernel / 4] = isFew(unit) ? D.kernelFew : D.kernelTiled;
  }
  return words;
}

/**
 * The units of a call in their order, as their runs of keys need them.
 *
 * @param words units of a ragged batch; null without one, where the kernels number them: see assembly/attention/unit.ts
 */
export function runUnits({ grid, items, splits }: WasmPlan, words: Int32Array | null): RunUnit[] {
  if (words) {
    return Array.from({ length: words.length / unitWords }, (_, unit) => {
      const at = unitWords * unit;
      return {
        sequence: words[at + D.unitSequence / 4] as number,
        keyHead: words[at + D.unitKeyHead / 4] as number,
        start: words[at + D.unitStart / 4] as number,
      };
    });
  }
  const { blocks, kvHeads, rows } = grid;
  return Array.from({ length: items / splits }, (_, unit) => {
    const head = Math.floor(unit / blocks);
    const sequence = Math.floor(head / kvHeads);
    const block = blocks - 1 - (unit % blocks);
    return { sequence, keyHead: head - sequence * kvHeads, start: block * rows };
  });
}
