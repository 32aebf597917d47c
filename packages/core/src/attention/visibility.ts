import type { AttentionProblem } from "./problem.js";

/**
 * Distances from a query's position p to the keys that causal and window together leave:
 * `p − left ≤ j ≤ p + right`. `Infinity` is unbounded; causal bounds the right by 0.
 */
export interface VisibleBand {
  readonly left: number;
  readonly right: number;
}

/** Keys `start ≤ j < end`; empty if `end ≤ start`. */
export interface KeyRange {
  readonly start: number;
  readonly end: number;
}

/** Whether a tile's keys are hidden from all of its rows, seen by all, or neither. */
export type TileVisibility = "empty" | "full" | "partial";

/** The band of a problem; see {@link VisibleBand}. */
export function visibleBand(problem: Pick<AttentionProblem, "causal" | "window">): VisibleBand {
  const left = problem.window?.left ?? Number.POSITIVE_INFINITY;
  const right = problem.window?.right ?? Number.POSITIVE_INFINITY;
  return { left, right: problem.causal ? 0 : right };
}

/**
 * The smallest range of keys outside of which no query at positions `first` to `last` sees anything:
 * the keys of one row if both are the same.
 *
 * @param length keys that exist
 */
export function visibleKeys(
  band: VisibleBand,
  length: number,
  first: number,
  last: number = first,
): KeyRange {
  const start = Math.max(0, Math.min(length, first - band.left));
  return { start, end: Math.max(start, Math.min(length, last + band.right + 1)) };
}

/** How much of a tile of keys the queries at positions `first` to `last` see, as far as the band says. */
export function tileVisibility(
  band: VisibleBand,
  tile: KeyRange,
  first: number,
  last: number,
): TileVisibility {
  const { start, end } = tile;
  if (end <= start || last + band.right < start || first - band.left >= end) return "empty";
  return last - band.left <= start && end - 1 <= first + band.right ? "full" : "partial";
}

/**
 * The rows of a block that see any key of a tile, as far as the band says.
 *
 * @param positions of the rows, not descending
 * @param rows how many rows there are
 */
export function rowsSeeing(
  band: VisibleBand,
  tile: KeyRange,
  positions: ArrayLike<number>,
  rows: number,
): { readonly from: number; readonly to: number } {
  let from = 0;
  while (from < rows && (positions[from] as number) + band.right < tile.start) from++;
  let to = rows;
  while (to > from && (positions[to - 1] as number) - band.left >= tile.end) to--;
  return { from, to };
}

/** Query heads that share a key head; 1 where there are no heads. */
export function headsPerGroup(problem: Pick<AttentionProblem, "queryHeads" | "kvHeads">): number {
  return problem.kvHeads === 0 ? 1 : problem.queryHeads / problem.kvHeads;
}

/** The key head that a query head reads: floor(h · kvHeads / queryHeads). */
export function keyHeadOf(
  problem: Pick<AttentionProblem, "queryHeads" | "kvHeads">,
  queryHead: number,
): number {
  return Math.floor(queryHead / headsPerGroup(problem));
}
