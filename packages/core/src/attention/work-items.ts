import { describeValue, InvalidInputError } from "../errors.js";
import { checkProblem } from "../operation/problem.js";
import { reading, unreadable } from "../options.js";
import type { AttentionProblem } from "./problem.js";
import type { BoundTables, Sequence } from "./sequences.js";
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
 * In a ragged batch, each sequence is cut by itself, and the items of a call are those of its
 * {@link WorkList}.
 */
export interface WorkGrid {
  readonly batch: number;
  readonly kvHeads: number;
  /** Query heads that share a key head. */
  readonly group: number;
  /** Stacked rows of a key head, of all sequences together: `group · queryLength`. */
  readonly stackedRows: number;
  /** Stacked rows of an item; the last item of a key head may have fewer. */
  readonly rows: number;
  /** Items of a key head; in a ragged batch, the most that it may have, whatever its starts. */
  readonly blocks: number;
  /**
   * `batch · kvHeads · blocks`: items are numbered in this order, the block counting fastest. In a
   * ragged batch, the most that there may be.
   */
  readonly items: number;
}

/** One item: stacked rows `start ≤ r < end` of a key head, counted within its sequence. */
export interface WorkItem {
  /** Entry of query and output: 0 in a ragged batch. */
  readonly batch: number;
  /** The sequence's number: that of the batch entry, unless the batch is ragged. */
  readonly sequence: number;
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
    // A sequence's last item may have fewer rows: at worst one row, in each sequence that has any.
    const cut = problem.ragged ? Math.min(problem.sequences, queryLength) * (rows - 1) : rows - 1;
    const blocks = Math.floor((stackedRows + cut) / rows);
    return { batch, kvHeads, group, stackedRows, rows, blocks, items: batch * kvHeads * blocks };
  });
}

/**
 * @param grid of a batch that is not ragged
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
      return { batch, sequence: batch, keyHead: head - batch * kvHeads, start, end };
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

/**
 * The items of a call: those of its grid; in a ragged batch, those that its starts make. They are
 * numbered by sequence, key head and block, the block counting fastest.
 */
export class WorkList {
  readonly items: number;
  readonly #grid: WorkGrid;
  readonly #queryStarts: Int32Array | null;
  /** `[sequences + 1]` in a ragged batch: items of a key head that come before each sequence. */
  readonly #blockStarts: Int32Array;

  constructor(grid: WorkGrid, { queryStarts }: Partial<BoundTables>) {
    this.#grid = grid;
    this.#queryStarts = queryStarts ?? null;
    this.#blockStarts = queryStarts ? blockStartsOf(grid, queryStarts) : noBlocks;
    this.items = queryStarts
      ? grid.kvHeads * (this.#blockStarts[queryStarts.length - 1] as number)
      : grid.items;
  }

  /** @param index `0 ≤ index < items` */
  item(index: number): WorkItem {
    const starts = this.#queryStarts;
    if (starts === null) return workItem(this.#grid, index);
    const { group, rows, kvHeads } = this.#grid;
    const blockStarts = this.#blockStarts;
    // The last sequence whose items start at or before the index; those without items share a start.
    let sequence = 0;
    let behind = blockStarts.length - 1;
    while (behind - sequence > 1) {
      const middle = (sequence + behind) >> 1;
      if (kvHeads * (blockStarts[middle] as number) <= index) sequence = middle;
      else behind = middle;
    }
    const before = blockStarts[sequence] as number;
    const blocks = (blockStarts[sequence + 1] as number) - before;
    const within = index - kvHeads * before;
    const keyHead = Math.floor(within / blocks);
    const start = (within - keyHead * blocks) * rows;
    const queries = (starts[sequence + 1] as number) - (starts[sequence] as number);
    return { batch: 0, sequence, keyHead, start, end: Math.min(start + rows, group * queries) };
  }

  /** The keys of its sequence that an item's rows see at least one of, as far as band, length and positions say. */
  keysOf({ start, end }: WorkItem, band: VisibleBand, sequence: Sequence): KeyRange {
    const { group } = this.#grid;
    const from = Math.floor(start / group);
    const { first, last } = sequence.positionsOf(from, Math.floor((end - 1) / group) + 1);
    return sequence.keysInSight(band, first, last);
  }
}

const noBlocks = new Int32Array(1);

function blockStartsOf({ group, rows }: WorkGrid, queryStarts: Int32Array): Int32Array {
  const blockStarts = new Int32Array(queryStarts.length);
  for (let s = 0; s + 1 < queryStarts.length; s++) {
    const queries = (queryStarts[s + 1] as number) - (queryStarts[s] as number);
    blockStarts[s + 1] = (blockStarts[s] as number) + Math.ceil((group * queries) / rows);
  }
  return blockStarts;
}

function areNumbers(a: unknown, b: unknown, c: unknown, d: unknown): boolean {
  return (
    typeof a === "number" && typeof b === "number" && typeof c === "number" && typeof d === "number"
  );
}
