/** The indices of a table: which of them are numbers of rows, lists of keys or lists of scores. */
import type { Instructions } from "./instructions.js";
import { isWithin, type KeyRange, keyRangeOf, keySumOf, type RowNumbers } from "./key-sums.js";
import type { Value } from "./values.js";

/** An index that is a number: it moves where a row's elements begin. */
export interface NumberAxis extends RowNumbers {
  readonly size: number;
  readonly stride: number;
}

/** An index that is a list. */
export interface ListAxis {
  readonly list: Int32Array;
  readonly size: number;
  readonly stride: number;
}

/** An index that is the sum of a list of keys and a number. */
export interface SumAxis extends ListAxis {
  readonly plus: RowNumbers;
  /** Indices of the keys on the present tile. */
  readonly keys: KeyRange;
}

/** The indices of a table by what they are. */
export interface TableAxes {
  readonly numbers: readonly NumberAxis[];
  readonly ofKeys: readonly ListAxis[];
  readonly sums: readonly SumAxis[];
  readonly ofScores: readonly ListAxis[];
}

/**
 * Tells the indices of a table apart.
 *
 * @param value of the table's elements
 */
export function tableAxes(
  program: Instructions,
  { space }: Value,
  args: readonly number[],
  shape: readonly number[],
): TableAxes {
  const numbers: NumberAxis[] = [];
  const ofKeys: ListAxis[] = [];
  const sums: SumAxis[] = [];
  const ofScores: ListAxis[] = [];
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const arg = args[axis] as number;
    const size = shape[axis] as number;
    const sum = space === "scores" ? keySumOf(program, arg) : null;
    if (sum) {
      const keys = keyRangeOf(program, sum.keys);
      sums.push({ list: sum.keys.ints, plus: sum.rows, size, stride, keys });
    } else {
      const value = program.value(arg);
      const list = { list: value.ints, size, stride };
      if (!program.isList(value, space)) {
        numbers.push({ numbers: value.ints, ...program.stepsOf(value), size, stride });
      } else if (space === "scores" && value.space === "keys") ofKeys.push(list);
      else ofScores.push(list);
    }
    stride *= size;
  }
  return { numbers, ofKeys, sums, ofScores };
}

/** Whether all indices of a sum are inside the table for the rows of a panel. */
export function isInside({ plus, keys, size }: SumAxis, r: number): boolean {
  return isWithin(keys, plus, r, 0, size);
}
