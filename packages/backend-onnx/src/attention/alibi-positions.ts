import type { TypedArray } from "@heed/core";
import { type Entry, positionOf } from "./bounds.js";

/**
 * The form in which a graph gets positions, whose differences are the distances of ALiBi: `"near"`, counted
 * from the first key of each entry; or two parts that add up to them.
 */
export type PositionPart = "near" | "low" | "high";

/** Integers up to it are float32 numbers, and so are their differences. */
const exact = 2 ** 24;

/** The high part counts in steps of it: both parts of 32-bit integers are float32 numbers. */
const step = 2 ** 12;

/**
 * Whether distances of near positions would be wrong in float32, and positions are therefore given in two parts.
 * Rows at 10⁹ may see keys there as well as at 0.
 */
export function arePositionsFar(entries: readonly Entry[], keyLength: number): boolean {
  return entries.some((entry) => {
    const { sequence } = entry;
    if (sequence.queryPositions === null || sequence.keyPositions === null) return false;
    const base = baseOf(entry);
    const far = (position: number) => Math.abs(position - base) >= exact;
    return keysOf(entry, keyLength).some(far) || sequence.queryPositions.some(far);
  });
}

/** Writes positions of the rows, `[entries, queryLength]`. */
export function queryDistances<A extends TypedArray>(
  entries: readonly Entry[],
  queryLength: number,
  part: PositionPart,
  into: A,
): A {
  for (const [b, entry] of entries.entries()) {
    const base = part === "near" ? baseOf(entry) : 0;
    for (let i = 0; i < queryLength; i++) {
      into[b * queryLength + i] = partOf(positionOf(entry, i) - base, part);
    }
  }
  return into;
}

/**
 * Writes positions of the keys, `[rows, keyLength]`. Where they are indices they are the same for all
 * entries, and one row is asked for.
 */
export function keyDistances<A extends TypedArray>(
  entries: readonly Entry[],
  keyLength: number,
  part: PositionPart,
  into: A,
): A {
  for (let b = 0; b < into.length / keyLength; b++) {
    const entry = entries[b] as Entry;
    const base = part === "near" ? baseOf(entry) : 0;
    const { sequence, start } = entry;
    for (let j = 0; j < keyLength; j++) {
      const exists = start + j < sequence.keyLength || sequence.keyPositions === null;
      into[b * keyLength + j] = exists ? partOf(sequence.keyPosition(start + j) - base, part) : 0;
    }
  }
  return into;
}

/** A part of a position. */
export function partOf(position: number, part: PositionPart): number {
  if (part === "near") return position;
  const high = Math.floor(position / step) * step;
  return part === "high" ? high : position - high;
}

/** The position of the first key, for differences in small numbers. */
export function baseOf({ sequence, start }: Entry): number {
  return start < sequence.keyLength || sequence.keyPositions === null
    ? sequence.keyPosition(start)
    : 0;
}

function keysOf({ sequence, start }: Entry, keyLength: number): Int32Array {
  return (sequence.keyPositions ?? new Int32Array()).subarray(start, start + keyLength);
}
