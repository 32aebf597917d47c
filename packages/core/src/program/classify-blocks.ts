import { describeValue, InvalidInputError } from "../errors.js";
import { reading } from "../options.js";
import { BlockRunsBuilder, blockKinds } from "./block-runs.js";
import type { BoxVisibility } from "./intervals.js";

/** A grid of blocks, and what is known of its rectangles. */
export interface BlockGrid {
  readonly rows: number;
  readonly columns: number;
  /** Classes of the blocks of rows `q ≤ … < Q` and columns `k ≤ … < K`: empty, full or partial. */
  readonly visibility: (q: number, Q: number, k: number, K: number) => BoxVisibility;
  /** The kind of one block of which `visibility` knows nothing. Left out, it is partial. */
  readonly evaluate?: (q: number, k: number) => number;
  /** Most rectangles that are looked at: what is not known by then is partial. Default: as many as it takes. */
  readonly mostLooks?: number;
}

/** Blocks of a strip of rows that are classified together: a byte each. */
const mostBlocks = 2 ** 20;

/**
 * Classifies the blocks of a grid by looking at ever smaller rectangles, all of one size before the next smaller ones,
 * and adds its rows to `builder`. Takes memory for a strip of rows at once.
 *
 * @throws InvalidInputError where `builder` or `grid` is none, or the grid's sizes are no integers ≥ 0
 */
export function classifyBlocks(builder: BlockRunsBuilder, grid: BlockGrid): void {
  if (!reading("builder", () => builder instanceof BlockRunsBuilder)) {
    throw new InvalidInputError("builder", "a BlockRunsBuilder", describeValue(builder));
  }
  const [rows, columns] = reading("grid", () => [grid.rows, grid.columns] as const);
  for (const [name, size] of Object.entries({ rows, columns })) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new InvalidInputError(`grid.${name}`, "an integer ≥ 0", describeValue(size));
    }
  }
  const height = Math.max(1, Math.min(rows, Math.floor(mostBlocks / Math.max(1, columns))));
  const kinds = new Uint8Array(height * columns);
  const most = grid.mostLooks ?? Number.POSITIVE_INFINITY;
  for (let strip = 0; strip < rows; strip += height) {
    const end = Math.min(rows, strip + height);
    if (columns > 0) classifyStrip(grid, strip, end, kinds, (most * (end - strip)) / rows);
    for (let row = 0; row < end - strip; row++) builder.addRow(kinds, row * columns, columns);
  }
}

function classifyStrip(
  { columns, visibility, evaluate }: BlockGrid,
  start: number,
  end: number,
  kinds: Uint8Array,
  mostLooks: number,
): void {
  const fill = (q: number, Q: number, k: number, K: number, kind: number): void => {
    for (let row = q - start; row < Q - start; row++) {
      kinds.fill(kind, row * columns + k, row * columns + K);
    }
  };
  // Rectangles one after another as q, Q, k, K, so that the queue is one array of integers.
  let rectangles: number[] = [start, end, 0, columns];
  let looks = 0;
  while (rectangles.length > 0) {
    const smaller: number[] = [];
    for (let at = 0; at < rectangles.length; at += 4) {
      const q = rectangles[at] as number;
      const Q = rectangles[at + 1] as number;
      const k = rectangles[at + 2] as number;
      const K = rectangles[at + 3] as number;
      const known = looks++ < mostLooks ? visibility(q, Q, k, K) : "unknown";
      if (known !== "unknown") {
        fill(q, Q, k, K, blockKinds[known]);
      } else if (looks > mostLooks) {
        fill(q, Q, k, K, blockKinds.partial);
      } else if (Q - q === 1 && K - k === 1) {
        kinds[(q - start) * columns + k] = evaluate ? evaluate(q, k) : blockKinds.partial;
      } else if (Q - q >= K - k) {
        const middle = (q + Q) >> 1;
        smaller.push(q, middle, k, K, middle, Q, k, K);
      } else {
        const middle = (k + K) >> 1;
        smaller.push(q, Q, k, middle, q, Q, middle, K);
      }
    }
    rectangles = smaller;
  }
}
