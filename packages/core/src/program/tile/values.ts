import { dependence } from "../dependences.js";
import type { ProgramType } from "../types.js";
import { type Doubles, doubles } from "./doubles.js";

/** How often a value is computed: once a batch entry, a row of the block, a key of the tile, or a score. */
export type Space = "batch" | "rows" | "keys" | "scores";

const rowBits = dependence.head | dependence.query;

/** The space of a value that changes with some indices, given as bits of `dependence`. */
export function spaceOf(bits: number): Space {
  if (bits & dependence.score) return "scores";
  if (bits & dependence.key) return bits & rowBits ? "scores" : "keys";
  return bits & rowBits ? "rows" : "batch";
}

/** Floats from an index on. */
export interface Floats {
  data: Doubles;
  at: number;
}

/** The values of a node in its space; booleans and integers as `ints`, floats as `floats`. */
export interface Value {
  readonly space: Space;
  readonly type: ProgramType;
  readonly ints: Int32Array;
  readonly floats: Floats;
}

const noInts = new Int32Array(0);
const noFloats: Floats = { data: [], at: 0 };

/** Memory for a value of `length` elements. */
export function makeValue(space: Space, type: ProgramType, length: number): Value {
  return type === "float32"
    ? { space, type, ints: noInts, floats: { data: doubles(length), at: 0 } }
    : { space, type, ints: new Int32Array(length), floats: noFloats };
}

/** Rounded up to whole threes, which the loops take at a time. */
export function wholeThrees(n: number): number {
  return Math.ceil(n / 3) * 3;
}
