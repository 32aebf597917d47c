import type { BoundAttention } from "@heed/core";
import * as P from "../shared/program.js";

type BoundBlockMask = NonNullable<BoundAttention["blockMask"]>;

/** The rows of a panel. */
export interface PanelRows {
  readonly batch: number;
  readonly firstHead: number;
  readonly lastHead: number;
  readonly firstQuery: number;
  readonly lastQuery: number;
  /** Whether the call has a mask program. */
  readonly asksMask: boolean;
}

/** Keys `from ≤ j < to`, and what is to be asked of them: see src/shared/program.ts. */
export interface KeyRun {
  readonly from: number;
  readonly to: number;
  readonly asks: number;
}

/** The keys that a block mask leaves the rows of a panel. Keys may end behind the last one. */
export function blockRunsOfPanel(
  { blocks, skipsProgram }: BoundBlockMask,
  rows: PanelRows,
): readonly KeyRun[] {
  const { queryBlock, keyBlock, shape } = blocks;
  const [, heads] = shape;
  const first = Math.floor(rows.firstQuery / queryBlock);
  const last = Math.floor(rows.lastQuery / queryBlock);
  const lastHead = heads === 1 ? rows.firstHead : rows.lastHead;
  const asksOf = (full: boolean): number =>
    rows.asksMask && !(full && skipsProgram) ? P.asksMask : 0;
  const { starts, first: from, end, full } = blocks.rows;
  if (first === last && rows.firstHead === lastHead) {
    const row = blocks.row(rows.batch, rows.firstHead, first);
    const runs: KeyRun[] = [];
    for (let n = starts[row] as number; n < (starts[row + 1] as number); n++) {
      runs.push({
        from: (from[n] as number) * keyBlock,
        to: (end[n] as number) * keyBlock,
        asks: asksOf(full[n] === 1),
      });
    }
    return runs;
  }
  // Rows of several blocks: what all of them see, some of them see, or none does.
  const columns = shape[3];
  const seen = new Int32Array(columns);
  const whole = new Int32Array(columns);
  let count = 0;
  for (let head = rows.firstHead; head <= lastHead; head++) {
    for (let query = first; query <= last; query++) {
      count++;
      const row = blocks.row(rows.batch, head, query);
      for (let n = starts[row] as number; n < (starts[row + 1] as number); n++) {
        for (let k = from[n] as number; k < (end[n] as number); k++) {
          (seen[k] as number)++;
          if (full[n] === 1) (whole[k] as number)++;
        }
      }
    }
  }
  const runs: KeyRun[] = [];
  for (let k = 0; k < columns; k++) {
    if (seen[k] === 0) continue;
    const asks = asksOf(whole[k] === count) | (seen[k] === count ? 0 : P.asksBlocks);
    runs.push({ from: k * keyBlock, to: (k + 1) * keyBlock, asks });
  }
  return runs;
}
