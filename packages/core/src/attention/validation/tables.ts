import { describeValue, InvalidInputError } from "../../errors.js";
import { roomForIntegers, sharedIntegers } from "../../operation/shared-integers.js";
import { isInt32, isList, unreadable } from "../../options.js";
import { isHostTensor, readHostTensor } from "../../tensor/host-tensor.js";
import type { HostTensor } from "../../tensor/tensor.js";
import { typedArrayLength, typedArrayName } from "../../tensor/typed-array.js";
import type { SequenceStarts } from "../inputs.js";
import type { PageSizes } from "../problem.js";

/**
 * An int32 table in host memory.
 *
 * @param expected its shape in words
 * @throws InvalidInputError
 */
function readTable(argument: string, given: unknown, expected: string): HostTensor<"int32"> {
  const table = readHostTensor(argument, given as HostTensor);
  if (table.dtype !== "int32") {
    throw new InvalidInputError(argument, `dtype int32 of shape ${expected}`, table.dtype);
  }
  return table as HostTensor<"int32">;
}

/**
 * The page table as it was given; its entries are not read.
 *
 * @throws InvalidInputError unless it is int32 `[sequences, pagesOfOne]` in host memory
 */
export function readPageTable(given: unknown, sequences: number): HostTensor<"int32"> {
  const table = readTable("pageTable", given, "[sequences, pagesOfOne]");
  if (table.shape.length === 2 && table.shape[0] === sequences) return table;
  throw new InvalidInputError(
    "pageTable",
    `shape [${sequences}, pagesOfOne], one row a sequence`,
    `[${table.shape.join(", ")}]`,
  );
}

/**
 * Checks the entries of a table as it was given.
 *
 * @param lengths of the sequences, as checked
 * @throws InvalidInputError unless every entry that a sequence's length makes needed is a page
 */
export function checkPageTable(
  { data, offset, shape, strides }: HostTensor<"int32">,
  lengths: ArrayLike<number>,
  count: number,
  size: number,
): void {
  const rows = shape[0] as number;
  const rowStride = strides[0] as number;
  const stride = strides[1] as number;
  for (let s = 0; s < rows; s++) {
    const used = pagesUsed(lengths[s] as number, size);
    const from = offset + s * rowStride;
    for (let page = 0; page < used; page++) {
      checkPage(data[from + page * stride] as number, s, page, used, count);
    }
  }
}

function checkPage(entry: number, s: number, page: number, used: number, count: number): void {
  if (entry >= 0 && entry < count) return;
  throw new InvalidInputError(
    "pageTable",
    `pages from 0 to ${count - 1} in the first ${used} entries of sequence ${s}, which its length uses`,
    `${entry} at [${s}, ${page}]`,
  );
}

/** Entries of the page table that a sequence of a length uses. */
export function pagesUsed(length: number, size: number): number {
  return size === 0 ? 0 : Math.ceil(length / size);
}

/**
 * A copy of a page table `[sequences, perSequence]`, in which entries that no length needs are −1. Calls with the same
 * table share it.
 *
 * @throws InvalidInputError for an entry that is needed and is no page
 */
export function copyPageTable(
  { data, offset, strides }: HostTensor<"int32">,
  lengths: Int32Array,
  { count, size, perSequence }: PageSizes,
): Int32Array {
  const entries = lengths.length * perSequence;
  const copy = roomForIntegers(entries).fill(-1, 0, entries);
  const rowStride = strides[0] as number;
  const stride = strides[1] as number;
  for (let s = 0; s < lengths.length; s++) {
    const used = pagesUsed(lengths[s] as number, size);
    const from = offset + s * rowStride;
    for (let page = 0; page < used; page++) {
      const entry = data[from + page * stride] as number;
      checkPage(entry, s, page, used, count);
      copy[s * perSequence + page] = entry;
    }
  }
  return sharedIntegers(copy, entries);
}

/**
 * Starts of sequences as integers that can be indexed: what was given, or a copy of a tensor.
 *
 * @throws InvalidInputError for what holds no integers
 */
export function readStarts(argument: string, given: SequenceStarts): ArrayLike<number> {
  const expected = "an Int32Array, an array of integers or an int32 host tensor, [sequences + 1]";
  if (typedArrayName(given) === "Int32Array") return given as Int32Array;
  if (isList(given)) return given as readonly number[];
  if (!isHostTensor(given)) {
    throw new InvalidInputError(argument, expected, describeValue(given));
  }
  const table = readTable(argument, given, "[sequences + 1]");
  if (table.shape.length !== 1) {
    throw new InvalidInputError(argument, "shape [sequences + 1]", `[${table.shape.join(", ")}]`);
  }
  return copyRows(table, 1, table.shape[0] as number);
}

/** Number of entries of starts, whatever the property of that name says. */
export function startsLength(argument: string, starts: ArrayLike<number>): number {
  try {
    const length: unknown =
      typedArrayName(starts) === undefined ? starts.length : typedArrayLength(starts);
    if (Number.isSafeInteger(length) && (length as number) >= 1) return length as number;
    throw new InvalidInputError(
      argument,
      "at least one integer, 0",
      `${describeValue(length)} of them`,
    );
  } catch (error) {
    throw unreadable(argument, error);
  }
}

/**
 * @param total rows that the sequences have together
 * @param count number of starts that there have to be
 * @throws InvalidInputError unless starts begin at 0, never fall and end at the total
 */
export function checkStarts(
  argument: "queryStarts" | "keyStarts",
  starts: ArrayLike<number>,
  total: number,
  count: number,
): void {
  const length = startsLength(argument, starts);
  if (length !== count) {
    throw new InvalidInputError(
      argument,
      `${count} starts, as many as queryStarts has`,
      `${length} of them`,
    );
  }
  try {
    let before = 0;
    for (let s = 0; s < count; s++) {
      const start: unknown = starts[s];
      if (!isInt32(start)) {
        throw new InvalidInputError(argument, "32-bit signed integers", describeValue(start));
      }
      if (s === 0 ? start !== 0 : start < before) {
        throw new InvalidInputError(
          argument,
          s === 0 ? "a first start of 0" : `starts that never fall, ${before} or more at [${s}]`,
          `${start}`,
        );
      }
      before = start;
    }
    if (before !== total) {
      const rows = argument === "queryStarts" ? "query rows" : "keys";
      throw new InvalidInputError(argument, `a last start of ${total}, the ${rows}`, `${before}`);
    }
  } catch (error) {
    throw unreadable(argument, error);
  }
}

/**
 * A table of positions.
 *
 * @param rows number of rows where there is not one for all
 * @throws InvalidInputError unless it is int32 `[rows or 1, length]` in host memory
 */
export function readPositionTable(
  argument: "queryPositions" | "keyPositions",
  given: unknown,
  rows: number,
  length: number,
): HostTensor<"int32"> {
  const table = readHostTensor(argument, given as HostTensor);
  const { shape: its } = table;
  const rowsFit = its[0] === rows || its[0] === 1;
  const fits = its.length === 2 && rowsFit && its[1] === length;
  if (fits && table.dtype === "int32") return table as HostTensor<"int32">;
  const shape = rows === 1 ? `[1, ${length}]` : `[${rows} or 1, ${length}]`;
  readTable(argument, given, shape);
  throw new InvalidInputError(argument, `shape ${shape}`, `[${table.shape.join(", ")}]`);
}

/** Tables of at most so many integers are shared by calls, which compare them. */
const fewIntegers = 64;
/** Rows from so many integers on are copied by `set`, which takes a view of each. */
const longRow = 512;

/** A row-major copy of a table, which nobody may write to: calls with the same few integers share it. */
export function copyRows(table: HostTensor<"int32">, rows: number, columns: number): Int32Array {
  const count = rows * columns;
  const few = count <= fewIntegers;
  const copy = few ? roomForIntegers(count) : new Int32Array(count);
  const stride = table.strides[table.strides.length - 1] as number;
  const rowStride = table.strides.length > 1 ? (table.strides[0] as number) : 0;
  let at = 0;
  for (let row = 0; row < rows; row++) {
    const from = table.offset + row * rowStride;
    if (stride === 1 && columns >= longRow) {
      copy.set(table.data.subarray(from, from + columns), at);
      at += columns;
    } else {
      for (let c = 0; c < columns; c++) copy[at++] = table.data[from + c * stride] as number;
    }
  }
  return few ? sharedIntegers(copy, count) : copy;
}
