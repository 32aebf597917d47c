import { ProblemTable } from "../operation/problem-table.js";
import { checkNames, flag, unreadable } from "../options.js";
import type { DType, FloatDType } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import type { AttentionInputs } from "./inputs.js";
import {
  type AttentionProblem,
  type BroadcastInput,
  type PositionRule,
  problemKey,
} from "./problem.js";
import { alignedSize, checkBias, checkMask } from "./validation/broadcast.js";
import {
  checkHeadValues,
  checkOutput,
  checkReturns,
  checkWindow,
  readScale,
  readSoftcap,
} from "./validation/parameters.js";
import { checkKvLengths, positionRule } from "./validation/positions.js";
import { checkQueryKeyValue } from "./validation/sizes.js";

const inputNames: ReadonlySet<string> = new Set([
  "query",
  "key",
  "value",
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
]);

const floats: readonly FloatDType[] = ["float64", "float32", "float16"];
const rules: readonly PositionRule[] = ["none", "fixed", "bottom-right", "per-batch"];
const scoresKinds = [null, "raw", "capped", "biased"] as const;

const problems = new ProblemTable<AttentionProblem>(30);

/** Reused for every call: nothing keeps it. */
const full: [number, number, number, number] = [0, 0, 0, 0];
const outputShape: [number, number, number, number] = [0, 0, 0, 0];

/**
 * Validates a call, once and completely, and derives its canonical problem: the same object for
 * equal calls, in a steady state without allocating. Nothing is computed and no tensor's elements
 * are read (but for the few values in `kvLengths`, `queryOffset`, `alibiSlopes` and `sinks`).
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
  checkQueryKeyValue(query, key, value);
  const dtype = query.dtype as FloatDType;
  // By index: destructuring an array goes through its iterator, and allocates.
  const batch = query.shape[0] as number;
  const queryHeads = query.shape[1] as number;
  const queryLength = query.shape[2] as number;
  const headDim = query.shape[3] as number;
  const kvHeads = key.shape[1] as number;
  const keyLength = key.shape[2] as number;
  const valueDim = value.shape[3] as number;
  full[0] = outputShape[0] = batch;
  full[1] = outputShape[1] = queryHeads;
  full[2] = outputShape[2] = queryLength;
  full[3] = keyLength;
  outputShape[3] = valueDim;

  if (mask !== undefined) checkMask(mask, full);
  if (bias !== undefined) checkBias(bias, full, dtype);
  const causal = flag("causal", inputs.causal);
  if (window !== undefined) checkWindow(window);
  if (kvLengths !== undefined) checkKvLengths(kvLengths, batch, keyLength);
  if (alibiSlopes !== undefined) checkHeadValues("alibiSlopes", alibiSlopes, queryHeads, dtype);
  if (sinks !== undefined) checkHeadValues("sinks", sinks, queryHeads, dtype);
  const scale = readScale(inputs.scale, headDim, dtype);
  const softcap = readSoftcap(inputs.softcap, dtype);
  checkOutput("query", outputShape, "output");
  if (returns !== undefined) checkReturns(returns, full);
  const left = window?.left ?? -1;
  const right = window?.right ?? -1;
  const rule = positionRule(
    inputs.queryOffset,
    batch,
    queryLength,
    keyLength,
    kvLengths !== undefined,
    causal || left >= 0 || right >= 0 || alibiSlopes !== undefined,
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
  return problems.find(problemOfSignature);
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
  const problem = {
    batch,
    queryHeads,
    kvHeads,
    queryLength,
    keyLength,
    headDim,
    valueDim,
    dtype: floats[dtype] as FloatDType,
    mask: readBroadcast<"bool">(signature, 8),
    bias: readBroadcast<FloatDType>(signature, 13),
    causal: causal === 1,
    window:
      (left as number) < 0 && (right as number) < 0
        ? null
        : { left: sideOf(left as number), right: sideOf(right as number) },
    positions: rules[rule as number] as PositionRule,
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
