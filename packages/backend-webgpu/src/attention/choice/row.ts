import type { AttentionProblem } from "@heed/core";
import type { Capabilities } from "../../capabilities.js";
import { rowColumns } from "../kernels/row.js";
import { tileRows } from "../wgsl/products.js";
import { type ChoiceWith, commonly } from "./choice.js";
import type { Given, RowSettings } from "./settings.js";
import { splitsFor } from "./splits.js";

/**
 * Whether tiles would be mostly empty. The row kernel reads every query, key and value from storage for
 * each use, which a GPU's threads do badly: there it is for a handful of keys.
 */
export function suitsRows(
  problem: AttentionProblem,
  stack: number,
  { software }: Capabilities,
): boolean {
  const { queryLength, keyLength, headDim, valueDim } = problem;
  if (!software) return keyLength <= 16;
  const rows = stack * queryLength;
  const tiles = Math.ceil(rows / tileRows);
  const slices = Math.ceil(valueDim / rowColumns);
  // Loads are what costs on a software adapter; a tile has those of 64 rows, used or not.
  const rowLoads = rows * keyLength * (1.25 * slices * headDim + valueDim);
  const tileLoads =
    tiles * (Math.ceil(keyLength / 32) * 32 * (headDim * 26 + valueDim * 24) + 20_000);
  return rowLoads < tileLoads;
}

export function chooseRow(
  problem: AttentionProblem,
  capabilities: Capabilities,
  given: Given<RowSettings> = {},
): ChoiceWith<"row"> {
  const { batch, queryHeads, queryLength, keyLength, valueDim } = problem;
  const invocations = batch * queryHeads * queryLength * Math.ceil(valueDim / rowColumns);
  return {
    kernel: "row",
    ...commonly(problem, capabilities),
    stack: 1,
    rows: 1,
    columns: rowColumns,
    splits: given.splits ?? splitsFor(invocations / 64, keyLength, capabilities),
  };
}
