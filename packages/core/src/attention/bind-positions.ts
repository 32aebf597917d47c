import { describeValue, InvalidInputError } from "../errors.js";
import { checkProblem } from "../operation/problem.js";
import { roomForIntegers, sharedIntegers } from "../operation/shared-integers.js";
import { reading } from "../options.js";
import type { AttentionInputs, SequenceStarts } from "./inputs.js";
import type { AttentionProblem } from "./problem.js";
import type { BoundPositions, BoundTables } from "./sequences.js";
import {
  checkStarts,
  copyPageTable,
  copyRows,
  readPageTable,
  readPositionTable,
  readStarts,
} from "./validation/tables.js";

/**
 * Resolves lengths, offsets, starts, page table and positions: copies of all of them, which calls with the same
 * integers may share and nobody may write to.
 *
 * @param inputs a call that `describeProblem` has turned into `problem`
 */
export function bindPositions(
  problem: AttentionProblem,
  inputs: AttentionInputs,
): BoundPositions & BoundTables {
  checkProblem(problem, "attention");
  return reading("inputs", () => new PositionsOfCall(problem, inputs));
}

/** As {@link bindPositions} gives them, for a problem that is one. Bound calls extend it, and need no object between. */
export class PositionsOfCall implements BoundPositions, BoundTables {
  readonly offsets: Int32Array;
  readonly kvLengths: Int32Array;
  readonly pageTable: Int32Array | null;
  readonly queryStarts: Int32Array | null;
  readonly keyStarts: Int32Array | null;
  readonly queryPositions: Int32Array | null;
  readonly keyPositions: Int32Array | null;

  constructor(problem: AttentionProblem, inputs: AttentionInputs) {
    const { ragged, sequences, queryLength, keyLength } = problem;
    this.queryStarts = ragged
      ? bindStarts("queryStarts", inputs.queryStarts, sequences, queryLength)
      : null;
    this.keyStarts = ragged?.keys
      ? bindStarts("keyStarts", inputs.keyStarts, sequences, keyLength)
      : null;
    this.kvLengths = bindLengths(problem, inputs, this.keyStarts);
    this.offsets = bindOffsets(problem, inputs, this.kvLengths, this.queryStarts);
    this.pageTable = bindPageTable(problem, inputs, this.kvLengths);
    this.queryPositions = bindTable("queryPositions", inputs, problem.queryPositions, queryLength);
    this.keyPositions = bindTable("keyPositions", inputs, problem.keyPositions, keyLength);
  }
}

/** Checked again on the copy: the array may have changed since it was described, by another thread too. */
function bindStarts(
  argument: "queryStarts" | "keyStarts",
  given: SequenceStarts | undefined,
  sequences: number,
  total: number,
): Int32Array {
  const starts = copyIntegers(argument, readStarts(argument, given ?? []), sequences + 1);
  checkStarts(argument, starts, total, sequences + 1);
  return starts;
}

function bindPageTable(
  { pages, sequences }: AttentionProblem,
  { pageTable }: AttentionInputs,
  kvLengths: Int32Array,
): Int32Array | null {
  if (pages === null) return null;
  const table = readPageTable(pageTable, sequences);
  if (table.shape[1] !== pages.perSequence) {
    throw new InvalidInputError(
      "pageTable",
      `${pages.perSequence} pages a sequence, as the problem says`,
      `${table.shape[1]}`,
    );
  }
  return copyPageTable(table, kvLengths, pages);
}

function bindTable(
  argument: "queryPositions" | "keyPositions",
  inputs: AttentionInputs,
  rows: number | null,
  columns: number,
): Int32Array | null {
  if (rows === null) return null;
  const table = readPositionTable(argument, inputs[argument], rows, columns);
  if (table.shape[0] === rows) return copyRows(table, rows, columns);
  throw new InvalidInputError(argument, `${rows} rows, as the problem says`, `${table.shape[0]}`);
}

function bindLengths(
  { sequences, keyLength }: AttentionProblem,
  inputs: AttentionInputs,
  keyStarts: Int32Array | null,
): Int32Array {
  const given = inputs.kvLengths;
  if (given === undefined) {
    return keyStarts
      ? Int32Array.from({ length: sequences }, (_, s) => keysOf(s, keyStarts, keyLength))
      : constant(sequences, keyLength);
  }
  const lengths = copyIntegers("kvLengths", given, sequences);
  // Again, on the copy, as for starts.
  for (let s = 0; s < sequences; s++) {
    const length = lengths[s] as number;
    const most = keysOf(s, keyStarts, keyLength);
    if (length >= 0 && length <= most) continue;
    const expected = `lengths from 0 to the key's length ${most}`;
    throw new InvalidInputError("kvLengths", expected, `${length}`);
  }
  return lengths;
}

/** Keys that a sequence has room for. */
function keysOf(s: number, keyStarts: Int32Array | null, keyLength: number): number {
  if (keyStarts === null) return keyLength;
  return (keyStarts[s + 1] as number) - (keyStarts[s] as number);
}

function bindOffsets(
  { positions, sequences, queryLength }: AttentionProblem,
  { queryOffset }: AttentionInputs,
  kvLengths: Int32Array,
  queryStarts: Int32Array | null,
): Int32Array {
  switch (positions) {
    case "none":
    case "data":
      return constant(sequences, 0);
    case "fixed":
      return constant(sequences, Number(queryOffset ?? 0));
    case "bottom-right":
      return alignedToEnds(kvLengths, queryLength, queryStarts);
    case "per-batch":
      return copyIntegers("queryOffset", queryOffset as ArrayLike<number>, sequences);
  }
}

function alignedToEnds(
  kvLengths: Int32Array,
  queryLength: number,
  queryStarts: Int32Array | null,
): Int32Array {
  const count = kvLengths.length;
  const offsets = roomForIntegers(count);
  for (let s = 0; s < count; s++) {
    const rows =
      queryStarts === null
        ? queryLength
        : (queryStarts[s + 1] as number) - (queryStarts[s] as number);
    offsets[s] = (kvLengths[s] as number) - rows;
  }
  return sharedIntegers(offsets, count);
}

function copyIntegers(argument: string, given: ArrayLike<number>, count: number): Int32Array {
  const copy = roomForIntegers(count);
  for (let b = 0; b < count; b++) {
    const value: unknown = given[b];
    if (typeof value !== "number") {
      throw new InvalidInputError(argument, "32-bit signed integers", describeValue(value));
    }
    copy[b] = value;
  }
  return sharedIntegers(copy, count);
}

/** `count` times the same integer. Callers share the array and must not write to it. */
function constant(count: number, value: number): Int32Array {
  const room = roomForIntegers(count);
  for (let s = 0; s < count; s++) room[s] = value;
  return sharedIntegers(room, count);
}
