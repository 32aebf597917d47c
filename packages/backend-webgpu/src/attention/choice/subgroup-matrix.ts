import type { AttentionProblem } from "@heed/core";
import type { Capabilities } from "../../capabilities.js";
import { matrixStep, matrixThreads } from "../kernels/matrix-sizes.js";
import { subgroupMatrixBytes } from "../kernels/subgroup-matrix.js";
import { type ChoiceWith, commonly } from "./choice.js";
import type { Given, SubgroupMatrixSettings } from "./settings.js";
import { splitsFor } from "./splits.js";

/**
 * Null where the tile kernel has to do: without the feature and the caller's wish, for float32, and
 * where heads are too wide for workgroup memory, which has all of a query row and of a tile's keys.
 */
export function chooseSubgroupMatrix(
  problem: AttentionProblem,
  capabilities: Capabilities,
  stack: number,
  given: Given<SubgroupMatrixSettings> = {},
): ChoiceWith<"subgroup-matrix"> | null {
  const { matrices, limits } = capabilities;
  const kinds = commonly(problem, capabilities);
  if (matrices === null || kinds.storage !== "f16" || kinds.keys !== "f16") return null;
  if (limits.maxComputeInvocationsPerWorkgroup < matrixThreads) return null;
  const { batch, queryHeads, queryLength, keyLength, valueDim } = problem;
  const headDim = Math.ceil(problem.headDim / matrixStep) * matrixStep;
  const columns =
    given.columns ?? ([32, 64] as const).find((size) => size >= valueDim) ?? (128 as const);
  const allRows = stack * queryLength;
  const sizes =
    given.rows !== undefined ? [given.rows] : allRows > 32 ? ([64, 32] as const) : ([32] as const);
  const rows = sizes.find(
    (size) =>
      subgroupMatrixBytes({ rows: size, headDim, columns }) <=
      limits.maxComputeWorkgroupStorageSize,
  );
  if (rows === undefined) return null;
  const workgroups =
    batch * (queryHeads / stack) * Math.ceil(allRows / rows) * Math.ceil(valueDim / columns);
  return {
    kernel: "subgroup-matrix",
    matrix: { matrices, rows, headDim, columns },
    ...kinds,
    stack,
    rows,
    columns,
    splits: given.splits ?? splitsFor(workgroups, keyLength, capabilities),
  };
}
