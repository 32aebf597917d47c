import { ProblemTable } from "../operation/problem-table.js";
import { checkNames, flag, unreadable } from "../options.js";
import { numberOf } from "../program/form.js";
import type { DType, FloatDType } from "../tensor/dtype.js";
import type { HostTensor, Tensor } from "../tensor/tensor.js";
import type { AttentionInputs } from "./inputs.js";
import {
  type AttentionProblem,
  type BroadcastInput,
  type KvDType,
  type PositionRule,
  problemKey,
} from "./problem.js";
import {
  blockMaskShape,
  type CallPrograms,
  checkBlockMask,
  readPrograms,
  readsPositions,
} from "./programs.js";
import { alignedSize, checkBias, checkMask } from "./validation/broadcast.js";
import {
  checkHeadValues,
  checkOutput,
  checkReturns,
  checkWindow,
  readScale,
  readSoftcap,
} from "./validation/parameters.js";
import { positionRule } from "./validation/positions.js";
import { checkSequences } from "./validation/sequences.js";
import { checkQueryKeyValue } from "./validation/sizes.js";
import { checkScales } from "./validation/storage.js";
import { readPositionTable } from "./validation/tables.js";

const inputNames: ReadonlySet<string> = new Set([
  "query",
  "key",
  "value",
  "keyScales",
  "valueScales",
  "pageTable",
  "queryStarts",
  "keyStarts",
  "queryPositions",
  "keyPositions",
  "mask",
  "bias",
  "causal",
  "window",
  "queryOffset",
  "kvLengths",
  "alibiSlopes",
  "sinks",
  "scale",
  "softcap",
  "returns",
  "maskMod",
  "scoreMod",
  "blockMask",
]);

const floats: readonly FloatDType[] = ["float64", "float32", "float16"];
const kvDTypes: readonly KvDType[] = [...floats, "int8"];
const rules: readonly PositionRule[] = ["none", "fixed", "bottom-right", "per-batch", "data"];
const scoresKinds = [null, "raw", "capped", "biased"] as const;

const problems = new ProblemTable<AttentionProblem>(46);

/** The programs of the call that is being described. */
let programs: CallPrograms;

/** Reused for every call: nothing keeps it. */
const full: [number, number, number, number] = [0, 0, 0, 0];
const outputShape: [number, number, number, number] = [0, 0, 0, 0];

/**
 * Validates a call, once and completely, and derives its canonical problem: the same object for
 * equal calls, in a steady state without allocating. Nothing is computed and no tensor's elements
 * are read (but for the few values in `kvLengths`, `queryOffset`, starts, page table, `alibiSlopes` and `sinks`).
 *
 * @throws InvalidInputError naming the argument at fault
 * @throws DisposedError naming a device tensor that was disposed
 */
export function describeProblem(inputs: AttentionInputs): AttentionProblem {
  try {
    return describeReadable(inputs);
  } catch (error) {
    throw unreadable("inputs", error);
  }
}

function describeReadable(inputs: AttentionInputs): AttentionProblem {
  checkNames("inputs", inputs, inputNames);
  const { query, key, value, mask, bias, window, kvLengths, alibiSlopes, sinks, returns } = inputs;
  const { pageTable, queryStarts, keyStarts, queryPositions, keyPositions } = inputs;
  const paged = pageTable !== undefined;
  const ragged = queryStarts !== undefined;
  const kvDtype = checkQueryKeyValue(query, key, value, paged);
  checkScales("keyScales", inputs.keyScales, kvDtype, key);
  checkScales("valueScales", inputs.valueScales, kvDtype, value);
  const dtype = query.dtype as FloatDType;
  // By index: destructuring an array goes through its iterator, and allocates.
  const batch = query.shape[0] as number;
  const queryHeads = query.shape[1] as number;
  const queryLength = query.shape[2] as number;
  const headDim = query.shape[3] as number;
  const kvHeads = key.shape[1] as number;
  const valueDim = value.shape[3] as number;
  const { sequences, keyLength, perSequence, differ } = checkSequences(
    query,
    key,
    queryStarts,
    keyStarts,
    pageTable,
    kvLengths,
  );
  full[0] = outputShape[0] = batch;
  full[1] = outputShape[1] = queryHeads;
  full[2] = outputShape[2] = queryLength;
  full[3] = keyLength;
  outputShape[3] = valueDim;

  if (mask !== undefined) checkMask(mask, full, ragged);
  if (bias !== undefined) checkBias(bias, full, ragged, dtype);
  const causal = flag("causal", inputs.causal);
  if (window !== undefined) checkWindow(window);
  if (alibiSlopes !== undefined) checkHeadValues("alibiSlopes", alibiSlopes, queryHeads, dtype);
  if (sinks !== undefined) checkHeadValues("sinks", sinks, queryHeads, dtype);
  const scale = readScale(inputs.scale, headDim, dtype);
  const softcap = readSoftcap(inputs.softcap, dtype);
  checkOutput("query", outputShape, "output");
  programs = readPrograms(inputs);
  if (returns !== undefined) checkReturns(returns, full, ragged);
  if (programs.blockMask) {
    full[0] = sequences;
    checkBlockMask(inputs, programs.blockMask, full, ragged);
  }
  const left = window?.left ?? -1;
  const right = window?.right ?? -1;
  const queryRows = positionRows("queryPositions", queryPositions, batch, queryLength);
  const keyRows = positionRows(
    "keyPositions",
    keyPositions,
    keyStarts === undefined ? sequences : 1,
    keyLength,
  );
  const rule = positionRule(
    inputs.queryOffset,
    sequences,
    queryRows >= 0 || keyRows >= 0,
    causal || left >= 0 || right >= 0 || alibiSlopes !== undefined,
    readsPositions(inputs, programs, keyRows >= 0),
    differ,
    queryLength,
    keyLength,
  );

  const { signature } = problems;
  let at = 0;
  signature[at++] = batch;
  signature[at++] = queryHeads;
  signature[at++] = kvHeads;
  signature[at++] = queryLength;
  signature[at++] = keyLength;
  signature[at++] = headDim;
  signature[at++] = valueDim;
  signature[at++] = floats.indexOf(dtype);
  at = writeBroadcast(signature, at, mask);
  at = writeBroadcast(signature, at, bias);
  signature[at++] = causal ? 1 : 0;
  signature[at++] = left;
  signature[at++] = right;
  signature[at++] = rules.indexOf(rule);
  signature[at++] = kvLengths === undefined ? 0 : 1;
  signature[at++] = alibiSlopes === undefined ? 0 : 1;
  signature[at++] = sinks === undefined ? 0 : 1;
  signature[at++] = scale;
  signature[at++] = softcap;
  signature[at++] = returns?.logSumExp === true ? 1 : 0;
  signature[at++] = returns?.weights === true ? 1 : 0;
  signature[at++] = returns?.scores === undefined ? 0 : scoresKinds.indexOf(returns.scores);
  signature[at++] = kvDTypes.indexOf(kvDtype);
  signature[at++] = paged ? (key.shape[0] as number) : -1;
  signature[at++] = paged ? (key.shape[2] as number) : -1;
  signature[at++] = perSequence;
  signature[at++] = ragged ? (keyStarts === undefined ? 1 : 2) : 0;
  signature[at++] = sequences;
  signature[at++] = rule === "data" ? queryRows : -1;
  signature[at++] = rule === "data" ? keyRows : -1;
  const { maskMod, scoreMod, blockMask } = programs;
  signature[at++] = maskMod ? numberOf(maskMod.form) : 0;
  signature[at++] = scoreMod ? numberOf(scoreMod.form) : 0;
  signature[at++] = blockMask ? blockMask.queryBlock : 0;
  signature[at++] = blockMask ? blockMask.keyBlock : 0;
  for (let axis = 0; axis < 4; axis++) {
    signature[at++] = blockMask ? (blockMask.shape[axis] as number) : 0;
  }
  return problems.find(problemOfSignature);
}

/** Rows of a table of positions, or −1 without one. */
function positionRows(
  argument: "queryPositions" | "keyPositions",
  given: HostTensor | undefined,
  rows: number,
  length: number,
): number {
  if (given === undefined) return -1;
  return readPositionTable(argument, given, rows, length).shape[0] as number;
}

/** Five numbers: the dtype, −1 for no tensor, and the sizes aligned to the full shape. */
function writeBroadcast(signature: Float64Array, start: number, t: Tensor | undefined): number {
  signature[start] =
    t === undefined ? -1 : t.dtype === "bool" ? 3 : floats.indexOf(t.dtype as FloatDType);
  for (let axis = 0; axis < 4; axis++) {
    signature[start + 1 + axis] = t === undefined ? 0 : alignedSize(t, axis);
  }
  return start + 5;
}

function readBroadcast<D extends DType>(
  signature: Float64Array,
  start: number,
): BroadcastInput<D> | null {
  const dtype = signature[start] as number;
  if (dtype < 0) return null;
  const sizes = Array.from(signature.subarray(start + 1, start + 5), (size) => size | 0);
  return {
    dtype: (dtype === 3 ? "bool" : floats[dtype]) as D,
    shape: [...sizes] as [number, number, number, number],
  };
}

/** The problem whose signature was just written, in the order of {@link describeProblem}. */
function problemOfSignature(): AttentionProblem {
  const { signature } = problems;
  // As integers: V8 keeps what it reads from a Float64Array as doubles, and a kernel's loops that are
  // bounded by one of these sizes then count in doubles (decoding on js took 1.6 times as long).
  const [batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim, dtype] = Array.from(
    signature.subarray(0, 8),
    (size) => size | 0,
  ) as [number, number, number, number, number, number, number, number];
  const [causal, left, right, rule, kvLengths, alibi, sinks, scale, softcap, lse, weights, scores] =
    signature.subarray(18) as unknown as readonly number[];
  const stored = Array.from(signature.subarray(30, 38), (value) => value | 0);
  const [kvDtype, pageCount, pageSize, perSequence, ragged, sequences, queryRows, keyRows] =
    stored as [number, number, number, number, number, number, number, number];
  const problem = {
    batch,
    queryHeads,
    kvHeads,
    queryLength,
    keyLength,
    headDim,
    valueDim,
    dtype: floats[dtype] as FloatDType,
    kvDtype: kvDTypes[kvDtype] as KvDType,
    pages: perSequence < 0 ? null : { count: pageCount, size: pageSize, perSequence },
    ragged: ragged === 0 ? null : { queries: true as const, keys: ragged === 2 },
    sequences,
    mask: readBroadcast<"bool">(signature, 8),
    bias: readBroadcast<FloatDType>(signature, 13),
    causal: causal === 1,
    maskMod: programs.maskMod ? programs.maskMod.form : null,
    scoreMod: programs.scoreMod ? programs.scoreMod.form : null,
    blockMask: programs.blockMask ? blockMaskShape(programs.blockMask) : null,
    window:
      (left as number) < 0 && (right as number) < 0
        ? null
        : { left: sideOf(left as number), right: sideOf(right as number) },
    positions: rules[rule as number] as PositionRule,
    queryPositions: queryRows < 0 ? null : queryRows,
    keyPositions: keyRows < 0 ? null : keyRows,
    kvLengths: kvLengths === 1,
    alibi: alibi === 1,
    sinks: sinks === 1,
    scale: scale as number,
    softcap: softcap === 0 ? null : (softcap as number),
    returns: {
      logSumExp: lse === 1,
      weights: weights === 1,
      scores: scoresKinds[scores as number] ?? null,
    },
  };
  return Object.freeze({ operation: "attention", key: problemKey(problem), ...problem });
}

function sideOf(size: number): number | null {
  return size < 0 ? null : size | 0;
}
