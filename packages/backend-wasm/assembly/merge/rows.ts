import * as D from "../../src/shared/merge";
import { size, word } from "../descriptor";

// Walk over the rows of all parts, in row-major order of the axes: see `tablePointer` in src/shared/merge.ts.

/** Address of the record of the first part; the records follow one another. */
export function partRecords(d: usize): usize {
  return size(d, D.tablePointer) + 8 * size(d, D.axes);
}

/** Size of a part's record. */
export function recordBytes(d: usize): usize {
  return 8 + 8 * size(d, D.axes);
}

/** Address of the log-sum-exp of the row at hand, from a part's record. */
// @ts-ignore: decorator
@inline
export function logSumExpAt(record: usize): usize {
  return load<usize>(record, 4);
}

/** Moves all parts to the next row. There has to be one. */
export function nextRow(d: usize): void {
  const axes = word(d, D.axes);
  const sizes = size(d, D.tablePointer);
  const indices = sizes + 4 * <usize>axes;
  let axis = axes - 1;
  while (load<i32>(indices + 4 * <usize>axis) + 1 == load<i32>(sizes + 4 * <usize>axis)) {
    store<i32>(indices + 4 * <usize>axis, 0);
    axis--;
  }
  const grows = indices + 4 * <usize>axis;
  store<i32>(grows, load<i32>(grows) + 1);
  const bytes = recordBytes(d);
  let record = partRecords(d);
  const end = record + size(d, D.parts) * bytes;
  while (record < end) {
    const steps = record + 8 + 8 * <usize>axis;
    store<usize>(record, load<usize>(record) + load<usize>(steps));
    store<usize>(record, load<usize>(record, 4) + load<usize>(steps, 4), 4);
    record += bytes;
  }
}
