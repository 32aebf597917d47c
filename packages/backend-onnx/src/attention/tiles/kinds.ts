import {
  type AttentionProblem,
  type Sequence,
  tileVisibility,
  type VisibleBand,
  visibleBand,
} from "@heed/core";
import type { BlockMask } from "@heed/core/program";
import { movesWithRows } from "../bounds.js";
import type { Pieces } from "./pieces.js";

/** Whether the mask program is asked of partial blocks, of all blocks, or of none. */
export type Asks = "none" | "partial" | "all";

/**
 * Bits of the kind of a piece of keys, for some rows. Kinds of neighbouring rows are joined by "or": what one of them does not
 * visit is hidden from it by the same rule that would hide single keys.
 */
export const bits = {
  visited: 1,
  /** The block mask or its program hides keys. */
  holes: 2,
  /** `causal` or a window hides keys. */
  banded: 4,
} as const;

/** Kinds of the pieces of keys for the rows `from ≤ i < to` of a block. */
export function kindsOf(
  {
    problem,
    sequence,
    blocks,
    row,
    asks,
    keys,
  }: {
    readonly problem: AttentionProblem;
    readonly sequence: Sequence;
    readonly blocks: BlockMask;
    readonly row: number;
    readonly asks: Asks;
    readonly keys: Pieces;
  },
  block: number,
  from: number,
  to: number,
): Uint8Array<ArrayBuffer> {
  const kinds = new Uint8Array(keys.count).fill(bits.holes);
  const { starts, first, end, full } = blocks.rows;
  let piece = 0;
  for (let n = starts[row + block] as number; n < (starts[row + block + 1] as number); n++) {
    const isWhole = asks === "none" || (asks === "partial" && full[n] === 1);
    const kind = bits.visited | (isWhole ? 0 : bits.holes);
    while (piece < keys.count && keys.blockOf(piece) < (first[n] as number)) piece++;
    for (; piece < keys.count && keys.blockOf(piece) < (end[n] as number); piece++) {
      kinds[piece] = kind;
    }
  }
  const band = visibleBand(problem);
  if (movesWithRows(band)) narrow(kinds, band, sequence, keys, sequence.positionsOf(from, to));
  return kinds;
}

/** Takes out of the visited pieces those that positions hide from all rows. */
function narrow(
  kinds: Uint8Array,
  band: VisibleBand,
  sequence: Sequence,
  keys: Pieces,
  rows: { readonly first: number; readonly last: number },
): void {
  for (let n = 0; n < kinds.length; n++) {
    const kind = kinds[n] as number;
    if ((kind & bits.visited) === 0) continue;
    const piece = { start: keys.firstOf(n), end: keys.firstOf(n + 1) };
    const visible = tileVisibility(band, sequence.tilePositions(piece), rows.first, rows.last);
    if (visible === "empty") kinds[n] = bits.banded;
    else if (visible === "partial") kinds[n] = kind | bits.banded;
  }
}
