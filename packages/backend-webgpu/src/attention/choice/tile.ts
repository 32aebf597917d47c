import type { AttentionProblem } from "@heed/core";
import type { Capabilities } from "../../capabilities.js";
import type { Storage } from "../../wgsl/kernel.js";
import { tileBytes } from "../kernels/tile.js";
import { type Lanes, tileRows, tileThreads } from "../wgsl/products.js";
import { type ChoiceWith, commonly } from "./choice.js";
import type { Given, TileSettings } from "./settings.js";
import { splitsFor } from "./splits.js";

export function chooseTile(
  problem: AttentionProblem,
  capabilities: Capabilities,
  stack: number,
  given: Given<TileSettings> = {},
): ChoiceWith<"tile"> {
  const { batch, queryHeads, queryLength, keyLength, valueDim } = problem;
  const kinds = commonly(problem, capabilities);
  const lanes = given.lanes ?? lanesFor(problem, kinds.storage, capabilities);
  const columns =
    given.columns ?? [32, 64].find((size) => size >= valueDim && size >= 4 * lanes) ?? 128;
  const workgroups =
    batch *
    (queryHeads / stack) *
    Math.ceil((stack * queryLength) / tileRows) *
    Math.ceil(valueDim / columns);
  // A software adapter's subgroups are too small to be worth asking for.
  const subgroups = given.subgroups ?? (capabilities.subgroups && !capabilities.software);
  return {
    kernel: "tile",
    tile: { lanes, columns, subgroups },
    ...kinds,
    stack,
    rows: tileRows,
    columns,
    splits: given.splits ?? splitsFor(workgroups, keyLength, capabilities),
  };
}

/**
 * Wide tiles have twice the keys and twice the threads, and half of the output in each: what wide heads
 * need to stay in registers.
 */
function lanesFor(problem: AttentionProblem, storage: Storage, capabilities: Capabilities): Lanes {
  const wide = fitsLanes(16, storage, capabilities);
  return wide && !capabilities.software && problem.valueDim > 64 ? 16 : 8;
}

/** Wide tiles take more than the 16 KB of workgroup memory that all devices have. */
export function fitsLanes(lanes: Lanes, storage: Storage, { limits }: Capabilities): boolean {
  return (
    tileBytes({ lanes, storage }) <= limits.maxComputeWorkgroupStorageSize &&
    tileThreads(lanes) <= limits.maxComputeInvocationsPerWorkgroup
  );
}
