import {
  type AttentionProblem,
  headsPerGroup,
  type PlanDescription,
  type SupportReason,
  type WorkGrid,
  workGrid,
} from "@heed/core";
import { mostDoubles } from "@heed/core/program";
import { prefersRows, RowProducts } from "./kernels/row-products.js";
import { panelColumns, panelKeys, panelRows } from "./kernels/tile.js";

/**
 * `"tiled"`: blocks of query rows against tiles of keys, both packed as float64 panels. `"stream"`:
 * few query rows, keys and values read in place, one after another.
 */
export type JsKernel = "tiled" | "stream";

/** Everything that is decided about a problem before it runs. */
export interface JsPlan {
  readonly kernel: JsKernel;
  /** Whether blocks of few rows stream beside tiled ones: a ragged batch's sequences differ. */
  readonly mayStream: boolean;
  /** The blocks of query rows; a row is one query of one head of a group. */
  readonly grid: WorkGrid;
  /** The most keys of a tile. */
  readonly keys: number;
  /** Keys that a tile has room for: whole panels. */
  readonly keyStride: number;
  /**
   * Tiles end at multiples of it, so that they hold whole pages or parts of one; 0: they follow each other
   * from the first key that a block sees.
   */
  readonly tileStep: number;
  /** Row length of values and outputs in the workspace: valueDim rounded up to whole panels. */
  readonly valueStride: number;
  /** Whether rows, keys and columns of a tile are multiplied from arrays of their own instead of panels. */
  readonly multipliesRows: boolean;
  /** Elements that a block's logits take if weights are wanted. */
  readonly logits: number;
}

/** Up to here, packing a tile costs more than reading it in place twice as slowly. */
export const streamRows = 8;

/**
 * Tile sizes. At 256 rows, query, scores and output of a tile are some 130 KB each for a head size
 * of 64, and stay in the second-level cache; fewer rows mean that keys and values are packed more
 * often (64 rows: 6 % slower on L 197 and L 512). A tile of 66 keys stays in the first-level cache.
 */
const mostRows = 256;
const mostKeys = 66;
/** Fewer rows of a block mask's blocks are taken together, since packing a tile of keys costs as much. */
const fewestRows = 48;

/** Pure: the same problem gives the same plan in an engine. */
export function planProblem(problem: AttentionProblem): JsPlan {
  const total = headsPerGroup(problem) * problem.queryLength;
  const canStream = problem.dtype !== "float64";
  const kernel = total <= streamRows && canStream ? "stream" : "tiled";
  const { rows, keys } = tilesOf(problem, total);
  return {
    kernel,
    mayStream: problem.ragged !== null && canStream,
    grid: workGrid(problem, rows),
    keys,
    keyStride: roundUp(keys, panelKeys),
    tileStep: stepOf(problem, keys),
    valueStride: roundUp(problem.valueDim, panelColumns),
    multipliesRows: kernel === "tiled" && prefersRows(rows, problem.headDim, problem.valueDim),
    logits: problem.returns.weights ? rows * problem.keyLength : 0,
  };
}

/** With a block mask, tiles end where its blocks end, so that whole tiles are skipped where blocks are. */
function tilesOf(
  problem: AttentionProblem,
  total: number,
): { readonly rows: number; readonly keys: number } {
  const { blockMask, keyLength } = problem;
  if (blockMask === null) {
    return {
      rows: evenParts(total, mostRows, panelRows),
      keys: evenParts(keyLength, mostKeys, panelKeys),
    };
  }
  const { queryBlock, keyBlock } = blockMask;
  const stacked = Math.min(total, headsPerGroup(problem) * queryBlock);
  return {
    rows: Math.max(1, aligned(stacked, fewestRows, mostRows)),
    keys: Math.max(1, aligned(Math.min(keyLength, keyBlock), mostKeys, mostKeys)),
  };
}

/** Whole blocks up to `enough`, if one has fewer; an even part of a block that has more than `most`. */
function aligned(block: number, enough: number, most: number): number {
  if (block > most) return evenParts(block, most, 1);
  return block * Math.max(1, Math.floor(enough / Math.max(1, block)));
}

/** Whole pages, as many as fit into a tile; or whole pages where one is larger than a tile. */
function stepOf({ pages, blockMask }: AttentionProblem, keys: number): number {
  // With a block mask, tiles end where its blocks do.
  if (pages === null || pages.size === 0 || blockMask !== null) return 0;
  return Math.max(1, Math.floor(keys / pages.size)) * pages.size;
}

/** Sizes of the plan's arrays, in elements: the workspace is made from these, and described by them. */
export function workspaceElements(
  problem: AttentionProblem,
  plan: JsPlan,
): {
  readonly float64: Readonly<
    Record<"query" | "key" | "value" | "scores" | "row" | "products" | "output" | "logits", number>
  >;
  readonly float32: Readonly<Record<"key" | "value", number>>;
} {
  const { keyStride: keys, valueStride, logits } = plan;
  const rows = roundUp(plan.grid.rows, panelRows);
  const key = keys * problem.headDim;
  const value = keys * valueStride;
  const tiled = plan.kernel === "tiled";
  const streams = !tiled || plan.mayStream;
  return {
    float64: {
      query: rows * problem.headDim,
      key: tiled ? key : 0,
      value: tiled ? value : 0,
      scores: rows * keys,
      row: Math.max(keys, problem.valueDim),
      products: plan.multipliesRows ? RowProducts.elements(problem.headDim, keys, valueStride) : 0,
      output: rows * valueStride,
      logits,
    },
    float32: { key: streams ? key : 0, value: streams ? value : 0 },
  };
}

/** Why a workspace cannot be had; empty where it can. */
export function workspaceRefusals(problem: AttentionProblem, plan: JsPlan): SupportReason[] {
  const { query, key, value, scores, output } = workspaceElements(problem, plan).float64;
  const longest = Math.max(query, key, value, scores, output);
  if (longest <= mostDoubles) return [];
  const message = `a block of ${plan.grid.rows} query rows needs an array of ${longest} elements, and JavaScript has at most ${mostDoubles}`;
  return [{ code: "memory", message, hint: "use a backend that computes in a memory of its own" }];
}

export function describePlan(problem: AttentionProblem, plan: JsPlan): PlanDescription {
  const { float64, float32 } = workspaceElements(problem, plan);
  const sum = (sizes: Readonly<Record<string, number>>): number =>
    Object.values(sizes).reduce((a, b) => a + b, 0);
  // Each row also has its head, index, position, maximum and sum.
  const perRow = 3 * 4 + 2 * 8;
  return {
    kernel: `attention-${plan.kernel}`,
    tiles: { queries: plan.grid.rows, keys: plan.keys },
    workspaceBytes: 8 * sum(float64) + 4 * sum(float32) + perRow * plan.grid.rows,
    dispatches: 1,
  };
}

/** The size of the fewest parts of at most `most` that make up a total, all alike but the last. */
function evenParts(total: number, most: number, step: number): number {
  const parts = Math.max(1, Math.ceil(total / most));
  return roundUp(Math.max(1, Math.ceil(total / parts)), step);
}

function roundUp(n: number, step: number): number {
  return Math.ceil(n / step) * step;
}
