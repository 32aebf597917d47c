import type { AttentionProblem } from "@heed/core";
import type { Runtime, RuntimeTensor } from "../runtime/runtime.js";
import { type Entry, positionOf } from "./bounds.js";

/**
 * The inputs of a graph for the variables of its programs, and for the blocks of its block mask: positions and
 * indices of queries, `[rows, 1, queryLength, 1]`, and of keys, `[rows, 1, 1, keyLength]`, with a single row
 * where all entries have the same; the sequences' numbers `[batch, 1, 1, 1]`.
 *
 * @param problem that the graph computes; entries beyond their last query repeat it
 */
export function variableFeeds(
  Tensor: Runtime["Tensor"],
  { queryLength, keyLength, blockMask }: AttentionProblem,
  {
    entries,
    sequences,
  }: { readonly entries: readonly Entry[]; readonly sequences: readonly number[] },
): Readonly<Record<string, () => RuntimeTensor>> {
  const indices = (length: number, index: (i: number) => number): Int32Array =>
    Int32Array.from({ length }, (_, i) => index(i));
  const ofQueries = (row: (entry: Entry, i: number) => number): RuntimeTensor => {
    const { data, rows } = rowsOf(entries, queryLength, row);
    return new Tensor("int32", data, [rows, 1, queryLength, 1]);
  };
  const ofKeys = (row: (entry: Entry, j: number) => number): RuntimeTensor => {
    const { data, rows } = rowsOf(entries, keyLength, row);
    return new Tensor("int32", data, [rows, 1, 1, keyLength]);
  };
  const blocks = (length: number, size: number, start: number): RuntimeTensor =>
    new Tensor(
      "int32",
      indices(length, (i) => Math.floor((start + i) / size)),
      [length],
    );
  return {
    programBatch: () =>
      new Tensor("int32", Int32Array.from(sequences), [sequences.length, 1, 1, 1]),
    programQuery: () => ofQueries(positionOf),
    programQueryIndex: () =>
      new Tensor(
        "int32",
        indices(queryLength, (i) => i),
        [1, 1, queryLength, 1],
      ),
    programKey: () => ofKeys(keyPosition),
    programKeyIndex: () => ofKeys(({ start }, j) => start + j),
    blockOfQuery: () => blocks(queryLength, blockMask?.queryBlock ?? 1, 0),
    blockOfKey: () => blocks(keyLength, blockMask?.keyBlock ?? 1, entries[0]?.start ?? 0),
  };
}

/** The position of an entry's key j; 0 of one that does not exist. */
function keyPosition({ sequence, start }: Entry, j: number): number {
  const exists = start + j < sequence.keyLength || sequence.keyPositions === null;
  return exists ? sequence.keyPosition(start + j) : 0;
}

/** A row of numbers an entry, or a single one where all are the same. */
function rowsOf(
  entries: readonly Entry[],
  length: number,
  number: (entry: Entry, i: number) => number,
): { readonly data: Int32Array; readonly rows: number } {
  const data = new Int32Array(entries.length * length);
  let alike = true;
  for (const [b, entry] of entries.entries()) {
    for (let i = 0; i < length; i++) {
      const at = b * length + i;
      data[at] = number(entry, i);
      if (data[at] !== data[i]) alike = false;
    }
  }
  return alike ? { data: data.subarray(0, length), rows: 1 } : { data, rows: entries.length };
}
