import {
  type AttentionProblem,
  bytesPerElement,
  statisticsDType,
  type Verdict,
  visibleBand,
} from "@heed/core";
import { variablesOf } from "@heed/core/program";
import { type ProviderTraits, refusesFloat64 } from "../runtime/traits.js";
import { movesWithRows, typicalBand } from "./bounds.js";
import { chooseGraph, type GraphKind } from "./graph/choose.js";
import { graphSpec } from "./graph/spec.js";
import { expandedBytes, isStored, leastPart } from "./stored/schedule.js";

/** Number of matrices of logits that live at once: the one an operator reads and the one it writes. */
const logitsAlive = 2;

/** Number of matrices of logits of one head that positions need: two predicates and the added matrix. */
const bandsAlive = 3;

/** Bytes of a matrix of logits, `[batch, queryHeads, queryLength, keyLength]`. */
function logitsBytes(problem: AttentionProblem): number {
  return problem.queryHeads * bandBytes(problem);
}

/** Bytes of a matrix of logits of one head. */
function bandBytes({ batch, queryLength, keyLength, dtype }: AttentionProblem): number {
  return batch * queryLength * keyLength * bytesPerElement(statisticsDType(dtype));
}

/** Number of values of a program that live at once. */
const programAlive = 3;

/** Bytes that the nodes of programs need: values of the axes that a program depends on. */
function programBytes({ maskMod, scoreMod, blockMask, ...problem }: AttentionProblem): number {
  const { batch, queryHeads, queryLength, keyLength } = problem;
  const matrices = (ofBatch: boolean, ofHeads: boolean): number =>
    (ofBatch ? batch : 1) * (ofHeads ? queryHeads : 1) * queryLength * keyLength;
  let elements = 0;
  if (maskMod) {
    const used = variablesOf(maskMod);
    const ofPositions = problem.positions !== "none" && (used.has("query") || used.has("key"));
    elements += programAlive * matrices(used.has("batch") || ofPositions, used.has("head"));
  }
  if (blockMask) elements += matrices(blockMask.shape[0] !== 1, blockMask.shape[1] !== 1);
  if (scoreMod) elements += programAlive * matrices(true, true);
  return elements * bytesPerElement(statisticsDType(problem.dtype));
}

/**
 * Bytes that a run of a graph needs beside inputs and outputs: an estimate, as onnxruntime plans its memory.
 * GroupQueryAttention works in tiles, and copies queries, keys and values into its own layout.
 */
export function workspaceBytes(problem: AttentionProblem, kind: GraphKind): number {
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim } = problem;
  if (kind === "group-query") {
    const rows = 2 * queryHeads * queryLength + 4 * kvHeads * keyLength;
    return batch * rows * headDim * bytesPerElement("float32");
  }
  const bands =
    queryLength > 1 && movesWithRows(visibleBand(problem)) ? bandsAlive * bandBytes(problem) : 0;
  return logitsAlive * logitsBytes(problem) + bands + programBytes(problem);
}

/** The graph that calls of a problem usually take. */
function usualKind(problem: AttentionProblem, traits: ProviderTraits): GraphKind {
  const spec = graphSpec(problem, traits, { band: typicalBand(problem), guard: "none" });
  return chooseGraph(spec, traits, problem);
}

/** The kind of graph that calls of a problem usually take, or the reasons why the provider has none. Pure. */
export function decideAttention(
  problem: AttentionProblem,
  traits: ProviderTraits,
): Verdict<GraphKind> {
  const { provider, largestTensor, memory, maxWorkspaceBytes } = traits;
  const reasons = refusesFloat64(traits, problem.dtype);
  // The part that a call computes at once follows from its lengths, which are data.
  const least = isStored(problem) ? leastPart(problem) : problem;
  const kind = usualKind(least, traits);
  const logits = logitsBytes(least);
  const expanded = least === problem ? 0 : expandedBytes(least);
  const needed = workspaceBytes(least, kind) + expanded;
  if (largestTensor !== null && logits > largestTensor) {
    reasons.push({
      code: "too-large",
      message: `its logits are one tensor of some ${mebibytes(logits)} MiB, and provider ${provider} has ${mebibytes(largestTensor)}`,
      hint: "onnxruntime keeps every logit: split the query, or use a backend that does not",
    });
  }
  if (memory !== null && needed > memory) {
    reasons.push({
      code: "too-large",
      message: `it needs some ${mebibytes(needed)} MiB, and provider ${provider} has ${mebibytes(memory)}`,
      hint: "onnxruntime keeps every logit: split the query, or use a backend that does not",
    });
  } else if (needed > maxWorkspaceBytes) {
    reasons.push({
      code: "memory",
      message: `it needs some ${mebibytes(needed)} MiB beside inputs and outputs, and maxWorkspaceBytes allows ${mebibytes(maxWorkspaceBytes)}`,
      hint: "allow more with onnx({ maxWorkspaceBytes }), split the query, or use a backend that does not keep every logit",
    });
  }
  return reasons.length === 0 ? { decision: kind } : { reasons };
}

/**
 * Whether a graph may run on a problem that {@link decideAttention} has accepted. Calls may need another
 * graph than usual: a hidden NaN, or offsets that leave the diagonal, take logits where GroupQueryAttention
 * has none.
 */
export function fitsWorkspace(
  problem: AttentionProblem,
  kind: GraphKind,
  { maxWorkspaceBytes }: ProviderTraits,
): boolean {
  return kind === "group-query" || workspaceBytes(problem, kind) <= maxWorkspaceBytes;
}

/**
 * Whether a provider can hold what a run of a group of sequences needs beside inputs and outputs: logits, and keys
 * and values that are put together.
 */
export function fitsPart(
  problem: AttentionProblem,
  kind: GraphKind,
  { maxWorkspaceBytes, largestTensor, memory }: ProviderTraits,
): boolean {
  const needed = workspaceBytes(problem, kind) + expandedBytes(problem);
  if (needed > Math.min(maxWorkspaceBytes, memory ?? maxWorkspaceBytes)) return false;
  return kind === "group-query" || logitsBytes(problem) <= (largestTensor ?? needed);
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
