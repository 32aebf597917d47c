import { describeValue, InvalidInputError } from "../errors.js";
import { unreadable } from "../options.js";
import type { AttentionProblem } from "./problem.js";

/**
 * Distances from a query's position p to the positions of the keys that causal and window together
 * leave: `p − left ≤ κ ≤ p + right`. `Infinity` is unbounded; causal bounds the right by 0.
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
  try {
    const left = problem.window?.left ?? Number.POSITIVE_INFINITY;
    const right = problem.window?.right ?? Number.POSITIVE_INFINITY;
    return { left, right: problem.causal ? 0 : right };
  } catch (error) {
    throw unreadable("problem", error);
  }
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
  const { left, right } = numbers("band", band, "left", "right");
  checkNumber("length", length);
  checkNumber("first", first);
  checkNumber("last", last);
  const start = Math.max(0, Math.min(length, first - left));
  return { start, end: Math.max(start, Math.min(length, last + right + 1)) };
}

/**
 * The least and the largest of `positions[from]` to `positions[to − 1]`.
 *
 * @throws InvalidInputError if there is none
 */
export function positionRange(
  positions: ArrayLike<number>,
  from: number,
  to: number,
): { readonly first: number; readonly last: number } {
  try {
    if (from >= 0 && from < to && to <= positions.length) {
      let first = positions[from] as number;
      let last = first;
      for (let at = from + 1; at < to; at++) {
        const position = positions[at] as number;
        if (position < first) first = position;
        else if (position > last) last = position;
      }
      return { first, last };
    }
  } catch (error) {
    throw unreadable("positions", error);
  }
  throw new InvalidInputError(
    "positions",
    "an array of numbers and a range in it",
    describeValue(positions),
  );
}

/**
 * How much of a tile of keys the queries at positions `first` to `last` see, as far as the band says.
 *
 * @param tile positions of its keys; see `Sequence.tilePositions`
 */
export function tileVisibility(
  band: VisibleBand,
  tile: KeyRange,
  first: number,
  last: number,
): TileVisibility {
  const { left, right } = numbers("band", band, "left", "right");
  const { start, end } = numbers("tile", tile, "start", "end");
  checkNumber("first", first);
  checkNumber("last", last);
  if (end <= start || last + right < start || first - left >= end) return "empty";
  return last - left <= start && end - 1 <= first + right ? "full" : "partial";
}

/**
 * The rows of a block that see any key of a tile, as far as the band says: exactly where positions do
 * not descend, and otherwise all of them and perhaps more.
 *
 * @param tile positions of its keys; see `Sequence.tilePositions`
 * @param positions of the rows
 * @param rows how many rows there are
 */
export function rowsSeeing(
  band: VisibleBand,
  tile: KeyRange,
  positions: ArrayLike<number>,
  rows: number,
): { readonly from: number; readonly to: number } {
  const { left, right } = numbers("band", band, "left", "right");
  const { start, end } = numbers("tile", tile, "start", "end");
  checkNumber("rows", rows);
  if (typeof positions !== "object" || positions === null) {
    throw new InvalidInputError("positions", "an array of numbers", describeValue(positions));
  }
  try {
    const at = (row: number): number => {
      const position: unknown = positions[row];
      checkNumber("positions", position);
      return position;
    };
    let from = 0;
    while (from < rows && at(from) + right < start) from++;
    let to = rows;
    while (to > from && at(to - 1) - left >= end) to--;
    return { from, to };
  } catch (error) {
    throw unreadable("positions", error);
  }
}

/** Query heads that share a key head; 1 where there are no heads. */
export function headsPerGroup(problem: Pick<AttentionProblem, "queryHeads" | "kvHeads">): number {
  const { queryHeads, kvHeads } = numbers("problem", problem, "queryHeads", "kvHeads");
  return kvHeads === 0 ? 1 : queryHeads / kvHeads;
}

/** The key head that a query head reads: floor(h · kvHeads / queryHeads). */
export function keyHeadOf(
  problem: Pick<AttentionProblem, "queryHeads" | "kvHeads">,
  queryHead: number,
): number {
  checkNumber("queryHead", queryHead);
  return Math.floor(queryHead / headsPerGroup(problem));
}

/** @throws InvalidInputError */
export function checkNumber(argument: string, value: unknown): asserts value is number {
  if (typeof value === "number") return;
  throw new InvalidInputError(argument, "a number", describeValue(value));
}

/** The object itself, once two members of it are known to be numbers: arithmetic converts anything. */
function numbers<A extends string, B extends string>(
  argument: string,
  value: { readonly [Name in A | B]: number },
  a: A,
  b: B,
): { readonly [Name in A | B]: number } {
  try {
    if (typeof value[a] === "number" && typeof value[b] === "number") return value;
  } catch (error) {
    throw unreadable(argument, error);
  }
  throw new InvalidInputError(
    argument,
    `an object with numbers ${a} and ${b}`,
    describeValue(value),
  );
}
