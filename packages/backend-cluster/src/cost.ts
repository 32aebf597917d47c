import { type AttentionProblem, bytesPerElement, elementCount } from "@heed/core";
import { bytesOfKey, wireDTypes } from "./client/attend.js";
import type { Cluster } from "./client/cluster.js";
import { needsIndices, readsKeys } from "./client/cut.js";

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
  const programs = [maskMod, scoreMod].filter((form) => form !== null);
  // Blocks for all sequences are cut for each of them, where their keys lie one after another.
  const copies = problem.ragged?.keys && blockMask?.shape[0] === 1 ? sequences : 1;
  const table = (count: number | null, columns: number): number => 4 * (count ?? 0) * columns;
  const sent =
    rows * headDim * bytesPerElement(wire.query) +
    (mask ? elementCount(mask.shape) : 0) +
    (bias ? 4 * elementCount(bias.shape) : 0) +
    (blockMask ? elementCount(blockMask.shape) * blockMask.keyBlock * copies : 0) +
    table(keyPositions, keyLength) +
    (problem.ragged?.keys && (positions !== "none" || readsKeys(problem)) ? 4 * keyLength : 0) +
    table(queryPositions ?? (positions === "none" ? 0 : batch), queryLength) +
    table(sequences, (pages?.perSequence ?? 0) + 4) +
    programs.filter((form) => needsIndices(problem, form)).length * 4 * keyLength +
    // Tables of programs are known in the call alone.
    programs.reduce((sum, { nodes }) => sum + bytesOfNode * nodes.length, 0) +
    16 * queryHeads;
  const statistics = problem.dtype === "float64" ? 8 : 4;
  const received = rows * (valueDim * bytesPerElement(wire.output) + statistics);
  return { sent, received };
}

/** Bytes of keys and values that a worker attends to in a millisecond, before any of them has told. */
const usualRate = 10e6;

/** The cost of a call, in sentences: what is sent, and how long it takes by what workers told so far. */
export function describeCost(problem: AttentionProblem, cluster: Cluster): readonly string[] {
  const { live } = cluster.members;
  const { sent, received } = callBytes(problem, cluster);
  const { keyLength, batch } = problem;
  const { group, replicas } = cluster.options;
  const notes = [
    `${live.length} workers in group ${group}; each part is on ${replicas} of them`,
    `sends each part at most ${sent} bytes and gets ${received} back; keys and values stay where they are`,
  ];
  const roundTrip = Math.max(0, ...live.map((member) => member.roundTrip));
  if (roundTrip === 0) return notes;
  const rates = live.map(({ rate }) => rate).filter((rate) => rate > 0);
  const rate =
    rates.length === 0 ? usualRate : rates.reduce((sum, one) => sum + one, 0) / rates.length;
  const here = (batch * keyLength * bytesOfKey(problem)) / rate;
  const spread = roundTrip + here / Math.max(1, live.length);
  const faster = here < spread ? "which is faster" : "which is slower";
  notes.push(
    `with all ${keyLength} keys about ${spread.toFixed(1)} ms, of which messages ${roundTrip.toFixed(1)} ms; one machine that holds them, as fast as a worker, about ${here.toFixed(1)} ms, ${faster}`,
  );
  return notes;
}
