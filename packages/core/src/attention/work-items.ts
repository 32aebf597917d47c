import { describeValue, InvalidInputError } from "../errors.js";
import { checkProblem } from "../operation/problem.js";
import { reading, unreadable } from "../options.js";
import type { AttentionProblem } from "./problem.js";
import {
  checkNumber,
  headsPerGroup,
  type KeyRange,
  type VisibleBand,
  visibleKeys,
} from "./visibility.js";

/**
 * How a problem's query rows are cut into items of work that share no output. The query heads of a
 * key head are stacked, query by query, so that whoever works on an item loads keys and values once
 * for all of them: stacked row r of key head g is query `⌊r / group⌋` of query head `g · group + r mod group`.
 */
export interface WorkGrid {
  readonly batch: number;
  readonly kvHeads: number;
  /** Query heads that share a key head. */
  readonly group: number;
  /** Stacked rows of a key head: `group · queryLength`. */
  readonly stackedRows: number;
  /** Stacked rows of an item; the last item of a key head may have fewer. */
  readonly rows: number;
  /** Items of a key head. */
  readonly blocks: number;
  /** `batch · kvHeads · blocks`: items are numbered in this order, the block counting fastest. */
  readonly items: number;
}

/** One item: stacked rows `start ≤ r < end` of a key head. */
export interface WorkItem {
  readonly batch: number;
  readonly keyHead: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Cuts a problem into items; done once a plan.
 *
 * @param rows stacked rows of an item, an integer ≥ 1
 */
export function workGrid(problem: AttentionProblem, rows: number): WorkGrid {
  checkProblem(problem, "attention");
  if (!Number.isSafeInteger(rows) || rows < 1) {
    checkNumber("rows", rows);
    throw new InvalidInputError("rows", "an integer ≥ 1", `${rows}`);
  }
  return reading("problem", () => {
    const { batch, kvHeads, queryLength } = problem;
    const group = headsPerGroup(problem);
    const stackedRows = group * queryLength;
    const blocks = Math.ceil(stackedRows / rows);
    return { batch, kvHeads, group, stackedRows, rows, blocks, items: batch * kvHeads * blocks };
  });
}

/**
 * @param index `0 ≤ index < grid.items`
 * @throws InvalidInputError for what is no grid or no number
 */
export function workItem(grid: WorkGrid, index: number): WorkItem {
  checkNumber("index", index);
  try {
    const { blocks, rows, kvHeads, stackedRows } = grid;
    if (areNumbers(blocks, rows, kvHeads, stackedRows)) {
      const head = Math.floor(index / blocks);
      const start = (index - head * blocks) * rows;
      const batch = Math.floor(head / kvHeads);
      const end = Math.min(start + rows, stackedRows);
      return { batch, keyHead: head - batch * kvHeads, start, end };
    }
  } catch (error) {
    throw unreadable("grid", error);
  }
  throw new InvalidInputError("grid", "what workGrid gives", describeValue(grid));
}

/**
 * The keys that an item's rows see at least one of, as far as band and length say. Its cost is their
 * number times that of its rows.
 *
 * @param offset position of query 0 of the item's batch
 * @param length keys that exist in the item's batch
 * @throws InvalidInputError for what is no grid, item, band or number
 */
export function keysOfItem(
  grid: WorkGrid,
  item: WorkItem,
  band: VisibleBand,
  offset: number,
  length: number,
): KeyRange {
  checkNumber("offset", offset);
  let first: number;
  let last: number;
  try {
    const { group } = grid;
    const { start, end } = item;
    if (!areNumbers(group, start, end, offset)) {
      throw new InvalidInputError("item", "what workItem gives", describeValue(item));
    }
    first = Math.floor(start / group) + offset;
    last = Math.floor((end - 1) / group) + offset;
  } catch (error) {
    throw unreadable("item", error);
  }
  return visibleKeys(band, length, first, last);
}

function areNumbers(a: unknown, b: unknown, c: unknown, d: unknown): boolean {
  return (
    typeof a === "number" && typeof b === "number" && typeof c === "number" && typeof d === "number"
  );
}
