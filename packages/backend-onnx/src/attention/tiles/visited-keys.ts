import type { AttentionProblem, HostTensor } from "@heed/core";
import type { Visits } from "./visits.js";

/** A block of keys that a block of queries visits. */
export interface VisitedBlock {
  readonly batch: number;
  readonly head: number;
  /** First query of the block of queries, and first key of the block of keys. */
  readonly query: number;
  readonly key: number;
  /** Offset of the first query's elements in `[sequences, 1, queryBlock, visited keys at most]`. */
  readonly at: number;
  /** From one query's elements to the next one's. */
  readonly step: number;
}

/** Visits the blocks, those of a batch entry and head after another. */
export function forEachVisit(
  { batch, queryHeads, blockMask }: AttentionProblem,
  { table, lengths, width }: Visits,
  visit: (block: VisitedBlock) => void,
): void {
  const { queryBlock, keyBlock } = blockMask as NonNullable<AttentionProblem["blockMask"]>;
  const queries = lengths.length / (batch * queryHeads);
  const step = width * keyBlock;
  for (let s = 0; s < lengths.length; s++) {
    const count = (lengths[s] as number) / keyBlock;
    for (let n = 0; n < count; n++) {
      visit({
        batch: Math.floor(s / queries / queryHeads),
        head: Math.floor(s / queries) % queryHeads,
        query: (s % queries) * queryBlock,
        key: (table[s * width + n] as number) * keyBlock,
        at: s * queryBlock * step + n * keyBlock,
        step,
      });
    }
  }
}

/** Index of the element of a query and the first key of a block in an expanded tensor. */
export function elementOf(
  { strides, offset }: HostTensor,
  { batch, head, query, key }: VisitedBlock,
  r: number,
): number {
  const [b, h, i, j] = strides as [number, number, number, number];
  return offset + batch * b + head * h + (query + r) * i + key * j;
}
