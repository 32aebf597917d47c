import { describeValue, InvalidInputError } from "../../errors.js";
import type { HostTensor } from "../../tensor/interfaces.js";
import { maxElements } from "../../tensor/layout.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { AttentionInputs } from "../inputs.js";
import { checkKvLengths, type Difference } from "./positions.js";
import { checkPageTable, checkStarts, readPageTable, readStarts, startsLength } from "./tables.js";

/** Sizes that follow from starts, page table and lengths. */
export interface SequenceSizes {
  sequences: number;
  keyLength: number;
  /** Entries of the page table for each sequence; −1 without pages. */
  perSequence: number;
  differ: Difference;
}

/** Reused for every call: nothing keeps it. */
const sizes: SequenceSizes = { sequences: 0, keyLength: 0, perSequence: -1, differ: undefined };

/**
 * Checks starts, page table and lengths against query and key, whose shapes have rank 4.
 *
 * @returns an object that the next call overwrites
 * @throws InvalidInputError, DisposedError
 */
export function checkSequences(
  query: Tensor,
  key: Tensor,
  queryStarts: AttentionInputs["queryStarts"],
  keyStarts: AttentionInputs["keyStarts"],
  pageTable: AttentionInputs["pageTable"],
  kvLengths: AttentionInputs["kvLengths"],
): SequenceSizes {
  const rows = key.shape[2] as number;
  const starts = checkRagged(query, rows, queryStarts, keyStarts, pageTable !== undefined);
  const sequences = starts ? starts.count : (query.shape[0] as number);
  let table: HostTensor<"int32"> | undefined;
  sizes.sequences = sequences;
  sizes.keyLength = rows;
  sizes.perSequence = -1;
  if (pageTable !== undefined) {
    if (kvLengths === undefined) {
      throw new InvalidInputError(
        "kvLengths",
        "the number of keys of each sequence, since pageTable is given",
        "undefined",
      );
    }
    table = readPageTable(pageTable, sequences);
    sizes.perSequence = table.shape[1] as number;
    sizes.keyLength = keysOfPages(sizes.perSequence, rows);
  }
  if (kvLengths !== undefined) {
    checkKvLengths(kvLengths, sequences, sizes.keyLength, starts?.keys);
    if (table) checkPageTable(table, kvLengths, key.shape[0] as number, rows);
  }
  if (kvLengths !== undefined) sizes.differ = "kvLengths";
  else if (starts) sizes.differ = areEqual(starts) ? undefined : "starts";
  else sizes.differ = query.shape[2] === rows ? undefined : "sizes";
  return sizes;
}

interface Starts {
  /** Sequences of the batch. */
  readonly count: number;
  readonly queries: ArrayLike<number>;
  readonly keys: ArrayLike<number> | undefined;
}

/** The starts of a ragged batch; undefined for a batch that is not ragged. */
function checkRagged(
  query: Tensor,
  keyRows: number,
  queryStarts: AttentionInputs["queryStarts"],
  keyStarts: AttentionInputs["keyStarts"],
  paged: boolean,
): Starts | undefined {
  if (queryStarts === undefined) {
    if (keyStarts === undefined) return undefined;
    const expected = "the starts of the queries, since keyStarts is given";
    throw new InvalidInputError("queryStarts", expected, "undefined");
  }
  if (query.shape[0] !== 1) {
    const expected = "a batch of 1, since queryStarts is given";
    throw new InvalidInputError("query", expected, `${query.shape[0]}`);
  }
  if (keyStarts === undefined && !paged) {
    const expected = "the starts of the keys (or a pageTable), since queryStarts is given";
    throw new InvalidInputError("keyStarts", expected, "undefined");
  }
  if (keyStarts !== undefined && paged) {
    const expected = "nothing beside pageTable, in which each sequence has its own keys";
    throw new InvalidInputError("keyStarts", expected, describeValue(keyStarts));
  }
  const queries = readStarts("queryStarts", queryStarts);
  const starts = startsLength("queryStarts", queries);
  checkStarts("queryStarts", queries, query.shape[2] as number, starts);
  if (keyStarts === undefined) return { count: starts - 1, queries, keys: undefined };
  const keys = readStarts("keyStarts", keyStarts);
  checkStarts("keyStarts", keys, keyRows, starts);
  return { count: starts - 1, queries, keys };
}

function areEqual({ count, queries, keys = queries }: Starts): boolean {
  for (let s = 0; s <= count; s++) if (queries[s] !== keys[s]) return false;
  return true;
}

function keysOfPages(perSequence: number, pageSize: number): number {
  const keyLength = perSequence * pageSize;
  if (keyLength <= maxElements) return keyLength;
  throw new InvalidInputError(
    "pageTable",
    `at most ${maxElements} keys a sequence`,
    `${perSequence} pages of ${pageSize}`,
  );
}
