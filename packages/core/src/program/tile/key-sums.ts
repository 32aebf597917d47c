/** Sums of a list of keys and numbers of rows, which instructions for a whole panel treat as both parts. */
import type { Instructions } from "./instructions.js";
import type { Value } from "./values.js";

/** Numbers of rows, from one of which to the next it is `step`, and within a panel `lane`. */
export interface RowNumbers {
  readonly numbers: Int32Array;
  readonly step: number;
  readonly lane: number;
}

/** A sum that waits for its reader. */
export interface KeySum {
  readonly keys: Value;
  readonly rows: RowNumbers;
}

/** The least and the most of a list of keys on the present tile. */
export interface KeyRange {
  least: number;
  most: number;
}

/** A node as a sum of a list of keys and numbers of rows, if it waits for its reader; null for others. */
export function keySumOf(program: Instructions, n: number): KeySum | null {
  const node = program.waitingNode(n);
  if (node?.op !== "add" || node.type !== "int32") return null;
  const [a, b] = node.args as [number, number];
  for (const [keys, rows] of [
    [a, b],
    [b, a],
  ] as const) {
    if (program.isWaiting(keys) || program.isWaiting(rows)) continue;
    const [list, numbers] = [program.value(keys), program.value(rows)];
    if (list.space !== "keys" || program.isList(numbers, "scores")) continue;
    return { keys: list, rows: { numbers: numbers.ints, ...program.stepsOf(numbers) } };
  }
  return null;
}

/** Adds the instruction that finds the range of a list of keys once a tile. */
export function keyRangeOf(program: Instructions, { ints }: Value): KeyRange {
  const range: KeyRange = { least: 0, most: 0 };
  program.of.keys.push((_, n) => {
    let least = ints[0] as number;
    let most = least;
    for (let s = 1; s < n; s = (s + 1) | 0) {
      const x = ints[s] as number;
      if (x < least) least = x;
      if (x > most) most = x;
    }
    range.least = least;
    range.most = most;
  });
  return range;
}

/** Whether the numbers of a panel's rows, added to any of the keys, are from `first` on and before `end`. */
export function isWithin(
  { least, most }: KeyRange,
  { numbers, step, lane }: RowNumbers,
  r: number,
  first: number,
  end: number,
): boolean {
  for (let l = 0; l < 3; l++) {
    const x = numbers[r * step + l * lane] as number;
    if (least + x < first || most + x >= end) return false;
  }
  return true;
}
