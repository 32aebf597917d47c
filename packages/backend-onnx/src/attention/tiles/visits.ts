import type { AttentionProblem } from "@heed/core";
import type { BlockMask } from "@heed/core/program";

/** The blocks that each block of queries visits. A sequence is a block of queries of a head. */
export interface Visits {
  /** `[sequences, width]`: numbers of the visited blocks of keys, ascending. */
  readonly table: Int32Array;
  /** `[sequences, width]`: 1 where the program is asked of each key of a block. */
  readonly partial: Uint8Array;
  /** `[sequences]`: visited keys. */
  readonly lengths: Int32Array;
  /** The most blocks that a sequence visits; at least 1. */
  readonly width: number;
  readonly isAnyPartial: boolean;
}

/** Share of the blocks up to which those that are visited are read by themselves. */
const mostVisited = 0.5;

/**
 * The same where some are partial, for blocks of 64 rows and keys or more, and for smaller ones, which cost more each. A quarter
 * of the widest sequence's share counts too, since each row of the mask has as many elements.
 */
const mostOfPartial = { large: 0.6, small: 0.35 };
const largeBlock = 64;
const shareOfWidth = 0.25;

/**
 * The blocks that blocks of queries visit.
 *
 * @param asks whether the program is asked of blocks that are not full, of all, or of none
 * @param writes whether something else is written down for each visited key
 * @returns null if there are so many that visiting them alone saves nothing
 */
export function visitsOf(
  { batch, queryHeads }: AttentionProblem,
  blocks: BlockMask,
  asks: "none" | "partial" | "all",
  writes: boolean,
): Visits | null {
  const [, , queries, keys] = blocks.shape;
  const { starts, first, end, full } = blocks.rows;
  const sequences = batch * queryHeads * queries;
  const rows = new Int32Array(sequences);
  const counts = new Int32Array(sequences);
  let visited = 0;
  let width = 1;
  for (let s = 0; s < sequences; s++) {
    const q = s % queries;
    const h = Math.floor(s / queries) % queryHeads;
    const b = Math.floor(s / queries / queryHeads);
    const row = blocks.row(b, h, q);
    let count = 0;
    for (let n = starts[row] as number; n < (starts[row + 1] as number); n++) {
      count += (end[n] as number) - (first[n] as number);
    }
    rows[s] = row;
    counts[s] = count;
    visited += count;
    width = Math.max(width, count);
  }
  if (visited > mostVisited * sequences * keys) return null;
  const table = new Int32Array(sequences * width).fill(-1);
  const partial = new Uint8Array(sequences * width);
  let isAnyPartial = false;
  for (let s = 0; s < sequences; s++) {
    const row = rows[s] as number;
    let at = s * width;
    for (let n = starts[row] as number; n < (starts[row + 1] as number); n++) {
      const isPartial = asks === "all" || (asks === "partial" && full[n] !== 1);
      if (isPartial) isAnyPartial = true;
      for (let k = first[n] as number; k < (end[n] as number); k++) {
        partial[at] = isPartial ? 1 : 0;
        table[at++] = k;
      }
    }
  }
  const { queryBlock, keyBlock } = blocks;
  const isLarge = Math.min(queryBlock, keyBlock) >= largeBlock;
  const share = visited / (sequences * keys) + (shareOfWidth * width) / keys;
  if ((isAnyPartial || writes) && share > mostOfPartial[isLarge ? "large" : "small"]) return null;
  const lengths = counts.map((count) => count * keyBlock);
  return { table, partial, lengths, width, isAnyPartial };
}

/** Each block's number among those of all batch entries and key heads. */
export function pagesOf(
  { batch, queryHeads, kvHeads }: AttentionProblem,
  { table, width, lengths }: Visits,
  keys: number,
): Int32Array {
  const queries = lengths.length / (batch * queryHeads);
  return table.map((k, n) => {
    if (k < 0) return k;
    const s = Math.floor(n / width);
    const h = Math.floor(s / queries) % queryHeads;
    const b = Math.floor(s / queries / queryHeads);
    return (b * kvHeads + Math.floor((h * kvHeads) / queryHeads)) * keys + k;
  });
}
