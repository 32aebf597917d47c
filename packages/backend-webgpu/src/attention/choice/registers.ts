import type { AttentionProblem } from "@heed/core";
import { type Capabilities, suitsUnrolled } from "../../capabilities.js";
import { type RegistersShape, registersThreads } from "../kernels/registers.js";
import { storages } from "../storages.js";
import { type ChoiceWith, commonly } from "./choice.js";
import type { Given, QuadSettings, StreamSettings } from "./settings.js";
import { splitsFor } from "./splits.js";

/** Sizes up to which rows are kept in private memory, and what their loops are unrolled in. */
const mostRegisterSize = 128;
const registerSizeStep = 16;

/** Rows that an invocation which has them all to itself keeps. */
export const mostStreamRows = 8;

export function fitsRegisters(problem: AttentionProblem, capabilities: Capabilities): boolean {
  const { storage, bias } = storages(problem, capabilities);
  const size = Math.max(problem.headDim, problem.valueDim);
  return size <= mostRegisterSize && storage === "f32" && bias === "f32";
}

/** Unrolled kernels take a second or two to compile for each head size: that has to pay. */
export function suitsRegisters(problem: AttentionProblem, capabilities: Capabilities): boolean {
  return suitsUnrolled(capabilities) && isLarge(problem);
}

/** Whether there is so much to compute that software adapters may take a second or two to compile a kernel for it. */
export function isLarge(problem: AttentionProblem): boolean {
  const { batch, queryHeads, queryLength, keyLength, headDim, valueDim } = problem;
  return 2 * batch * queryHeads * queryLength * keyLength * (headDim + valueDim) >= 3e7;
}

/** The most rows that an invocation of `quad` keeps: 2,048 floats with their outputs. */
export function mostQuadRows({ headDim, valueDim }: AttentionProblem): 8 | 16 {
  return Math.max(headDim, valueDim) <= 64 ? 16 : 8;
}

export function chooseQuad(
  problem: AttentionProblem,
  capabilities: Capabilities,
  stack: number,
  given: Given<QuadSettings> = {},
): ChoiceWith<"quad"> {
  const { batch, queryHeads, queryLength, keyLength, valueDim } = problem;
  const most = mostQuadRows(problem);
  const rows =
    given.rows ??
    ([4, 8] as const).find((few) => few < most && stack * queryLength <= few * registersThreads) ??
    most;
  const tile = rows * registersThreads;
  const workgroups = batch * (queryHeads / stack) * Math.ceil((stack * queryLength) / tile);
  return {
    kernel: "quad",
    registers: {
      mode: (given.subgroups ?? capabilities.subgroups) ? "quad" : "alone",
      rows,
      // Two keys at once fetch queries and outputs half as often; with four, temporaries leave the cache.
      keys: given.keys ?? 2,
      ...registerSizes(problem),
    },
    ...commonly(problem, capabilities),
    stack,
    rows: tile,
    columns: valueDim,
    splits: given.splits ?? splitsFor(workgroups, keyLength, capabilities),
  };
}

/** Every invocation is a part of the keys: parts come in fours. */
export function chooseStream(
  problem: AttentionProblem,
  capabilities: Capabilities,
  group: number,
  given: Given<StreamSettings> = {},
): ChoiceWith<"stream"> {
  const { batch, kvHeads, queryLength, keyLength, valueDim } = problem;
  const rows = given.rows ?? (group * queryLength <= 4 ? 4 : 8);
  const workgroups = batch * kvHeads * Math.ceil((group * queryLength) / rows);
  const quads = (): number => splitsFor(workgroups, keyLength / registersThreads, capabilities, 4);
  return {
    kernel: "stream",
    registers: { mode: "stream", rows, keys: 1, ...registerSizes(problem) },
    ...commonly(problem, capabilities),
    stack: group,
    rows,
    columns: valueDim,
    splits: given.splits ?? quads() * registersThreads,
  };
}

function registerSizes(
  problem: AttentionProblem,
): Pick<RegistersShape, "headDim" | "valueDim" | "whole"> {
  const up = (size: number): number => Math.ceil(size / registerSizeStep) * registerSizeStep;
  const [headDim, valueDim] = [up(problem.headDim), up(problem.valueDim)];
  return {
    headDim,
    valueDim,
    whole: headDim === problem.headDim && valueDim === problem.valueDim,
  };
}
