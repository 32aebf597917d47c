import type { AttentionProblem, PlanDescription } from "@heed/core";

/**
 * `"tiled"`: blocks of query rows against tiles of keys, both packed as float64, in register blocks
 * of 4 × 4. `"stream"`: few query rows, keys and values read in place, one after another.
 */
export type JsKernel = "tiled" | "stream";

/** What is decided about a problem before it runs. */
export interface JsPlan {
  readonly kernel: JsKernel;
  /** Query heads that share a key head. */
  readonly group: number;
  /** Query rows of a block; a row is one query of one head of the group. */
  readonly rows: number;
  /** Keys of a tile. */
  readonly keys: number;
  /** Row length of values and outputs in the workspace: valueDim rounded up to 4. */
  readonly valueStride: number;
  /** Elements that a block's logits take if weights are wanted. */
  readonly logits: number;
}

/** The register block's height and width: 4 × 4 sums keep V8's 16 float registers busy. */
export const registerBlock = 4;

/** Up to here, packing a tile costs more than reading it in place twice as slowly. */
const streamRows = 8;

/**
 * Tile sizes. 64 rows × 64 keys × 64 dimensions of float64 are 32 KB a matrix: all five fit the
 * second-level cache, and a register block's operands the first. Measured flat from 32 to 128.
 */
const tileRows = 64;
const tileKeys = 64;

/** Pure: the same problem gives the same plan everywhere. */
export function planProblem(problem: AttentionProblem): JsPlan {
  const group = problem.kvHeads === 0 ? 1 : problem.queryHeads / problem.kvHeads;
  const total = group * problem.queryLength;
  const kernel = total <= streamRows && problem.dtype !== "float64" ? "stream" : "tiled";
  const rows = roundUp(Math.max(1, Math.min(total, tileRows)));
  return {
    kernel,
    group,
    rows,
    keys: tileKeys,
    valueStride: roundUp(problem.valueDim),
    logits: problem.returns.weights ? rows * problem.keyLength : 0,
  };
}

/** What the plan allocates, in elements: the workspace is made from this, and its size told from it. */
export function workspaceElements(
  problem: AttentionProblem,
  plan: JsPlan,
): {
  readonly float64: Readonly<
    Record<"query" | "key" | "value" | "scores" | "output" | "logits", number>
  >;
  readonly float32: Readonly<Record<"key" | "value", number>>;
} {
  const { rows, keys, valueStride, logits } = plan;
  const key = keys * problem.headDim;
  const value = keys * valueStride;
  const tiled = plan.kernel === "tiled";
  return {
    float64: {
      query: rows * problem.headDim,
      key: tiled ? key : 0,
      value: tiled ? value : 0,
      scores: rows * keys,
      output: rows * valueStride,
      logits,
    },
    float32: { key: tiled ? 0 : key, value: tiled ? 0 : value },
  };
}

export function describePlan(problem: AttentionProblem, plan: JsPlan): PlanDescription {
  const { float64, float32 } = workspaceElements(problem, plan);
  const sum = (sizes: Readonly<Record<string, number>>): number =>
    Object.values(sizes).reduce((a, b) => a + b, 0);
  // Each row also has its head, index, position, maximum and sum.
  const perRow = 3 * 4 + 2 * 8;
  return {
    kernel: `js-${plan.kernel}`,
    tiles: { rows: plan.rows, keys: plan.keys },
    workspaceBytes: 8 * sum(float64) + 4 * sum(float32) + perRow * plan.rows,
    dispatches: 1,
  };
}

function roundUp(n: number): number {
  return Math.ceil(n / registerBlock) * registerBlock;
}
