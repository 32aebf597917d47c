import { type AttentionProblem, bytesPerElement, elementCount } from "@heed/core";
import { wireDTypes } from "./client/attend.js";
import type { Cluster } from "./client/cluster.js";
import { readsKeys } from "./client/cut.js";

/** Bytes of a program's node in JSON, at most. */
const bytesOfNode = 96;

/** Bytes that a call sends to each part, and receives from it, at most. */
export function callBytes(
  problem: AttentionProblem,
  cluster: Cluster,
): { readonly sent: number; readonly received: number } {
  const { batch, queryHeads, queryLength, headDim, valueDim, mask, bias, sequences } = problem;
  const {
    pages,
    keyPositions,
    keyLength,
    queryPositions,
    blockMask,
    positions,
    maskMod,
    scoreMod,
  } = problem;
  const wire = wireDTypes(problem, cluster.options.halfPrecision);
  const rows = batch * queryHeads * queryLength;
  const table = (count: number | null, columns: number): number => 4 * (count ?? 0) * columns;
  const sent =
    rows * headDim * bytesPerElement(wire.query) +
    (mask ? elementCount(mask.shape) : 0) +
    (bias ? 4 * elementCount(bias.shape) : 0) +
    (blockMask ? elementCount(blockMask.shape) * blockMask.keyBlock : 0) +
    table(keyPositions, keyLength) +
    (problem.ragged?.keys && (positions !== "none" || readsKeys(problem)) ? 4 * keyLength : 0) +
    table(queryPositions ?? (positions === "none" ? 0 : batch), queryLength) +
    table(sequences, (pages?.perSequence ?? 0) + 4) +
    // Tables of programs are known in the call alone.
    bytesOfNode * ((maskMod?.nodes.length ?? 0) + (scoreMod?.nodes.length ?? 0)) +
    16 * queryHeads;
  const statistics = problem.dtype === "float64" ? 8 : 4;
  const received = rows * (valueDim * bytesPerElement(wire.output) + statistics);
  return { sent, received };
}

/** Bytes of keys and values that attention on one machine reads in a millisecond, as a rule. */
const keysBytesPerMillisecond = 10e6;

/** The cost of a call, in sentences. */
export function describeCost(problem: AttentionProblem, cluster: Cluster): readonly string[] {
  const { live } = cluster.members;
  const { sent, received } = callBytes(problem, cluster);
  const { kvHeads, headDim, valueDim, kvDtype, keyLength, batch } = problem;
  const keyBytes = kvHeads * (headDim + valueDim) * bytesPerElement(kvDtype);
  const roundTrip = Math.max(0, ...live.map(({ latency }) => latency));
  const local = (batch * keyLength * keyBytes) / keysBytesPerMillisecond;
  const notes = [
    `${live.length} workers in group ${cluster.options.group}; each part is on ${cluster.options.replicas} of them`,
    `sends each part ${sent} bytes and gets ${received} back; keys and values stay where they are`,
  ];
  if (roundTrip > 0 && local < roundTrip) {
    notes.push(
      `an answer takes about ${roundTrip.toFixed(1)} ms: reading all ${keyLength} keys on this machine would take about ${local.toFixed(1)} ms, if they were here`,
    );
  }
  return notes;
}
