import type { AttentionProblem } from "@heed/core";
import type { Capabilities } from "../../capabilities.js";
import { decodeBytes, decodeRows } from "../kernels/decode.js";
import { takesLists } from "../storages.js";
import { type ChoiceWith, commonly } from "./choice.js";
import type { DecodeSettings, Given } from "./settings.js";
import { splitsFor } from "./splits.js";

/** Queries of a group have to fit into workgroup memory. */
export function fitsDecode(problem: AttentionProblem, capabilities: Capabilities): boolean {
  const headDim = decodeHeadDim(problem);
  const gathered = takesLists(problem, capabilities);
  const { limits } = capabilities;
  return decodeBytes({ headDim, gathered }) <= limits.maxComputeWorkgroupStorageSize;
}

function decodeHeadDim({ headDim }: AttentionProblem): number {
  return [64, 128].find((size) => size >= headDim) ?? Math.ceil(headDim / 64) * 64;
}

export function chooseDecode(
  problem: AttentionProblem,
  capabilities: Capabilities,
  group: number,
  given: Given<DecodeSettings> = {},
): ChoiceWith<"decode"> {
  const { batch, kvHeads, queryLength, keyLength, valueDim } = problem;
  const columns =
    given.columns ?? ([64, 128] as const).find((size) => size >= valueDim) ?? (256 as const);
  const workgroups =
    batch * kvHeads * Math.ceil((group * queryLength) / decodeRows) * Math.ceil(valueDim / columns);
  return {
    kernel: "decode",
    decode: { columns, headDim: decodeHeadDim(problem) },
    ...commonly(problem, capabilities),
    stack: group,
    rows: decodeRows,
    columns,
    splits: given.splits ?? splitsFor(workgroups, keyLength, capabilities),
  };
}
