import type { TableData } from "../sources.js";
import {
  addFloats,
  addFloatsOfKeys,
  addRuns,
  gatherBools,
  gatherFloats,
  gatherFloatsOfKeys,
  gatherInts,
  takeRuns,
} from "./table-loops.js";
import type { ThreeNumbers } from "./three-numbers.js";
import type { Value } from "./values.js";

/** Reads elements at offsets from three starts in turn. */
export type ReadElements = (
  offsets: Int32Array,
  x: number,
  y: number,
  z: number,
  n: number,
) => void;

/** The loops for a table's dtype. */
export interface TableReader {
  readonly gather: ReadElements;
  /** The loop for offsets that are those of keys, all alike for the rows of a panel. */
  readonly ofKeys: (offsets: Int32Array, n: number) => ReadElements;
}

/**
 * The loops that write a table's elements to a value.
 *
 * @param adds present if elements are added to the value times three numbers
 * @param lanes rows of a panel
 */
export function tableReader(
  { ints, floats }: Value,
  { data, dtype }: TableData,
  adds: ThreeNumbers | null,
  lanes: number,
): TableReader {
  if (dtype === "float32") return floatReader(floats, data as Float32Array, adds, lanes);
  const gather: ReadElements =
    dtype === "bool"
      ? (offsets, x, y, z, n) => gatherBools(ints, data as Uint8Array, offsets, x, y, z, n)
      : (offsets, x, y, z, n) => gatherInts(ints, data as Int32Array, offsets, x, y, z, n);
  return { gather, ofKeys: () => gather };
}

function floatReader(
  to: Value["floats"],
  from: Float32Array,
  adds: ThreeNumbers | null,
  lanes: number,
): TableReader {
  const numbers = adds?.numbers;
  const gather: ReadElements = numbers
    ? (offsets, x, y, z, n) => addFloats(to.data, to.at, numbers, from, offsets, x, y, z, n)
    : (offsets, x, y, z, n) => gatherFloats(to.data, to.at, from, offsets, x, y, z, n);
  const shared: ReadElements = numbers
    ? (offsets, x, y, z, n) => addFloatsOfKeys(to.data, to.at, numbers, from, offsets, x, y, z, n)
    : (offsets, x, y, z, n) => gatherFloatsOfKeys(to.data, to.at, from, offsets, x, y, z, n);
  // One row after another key, or three rows at each key.
  const [step, next] = lanes === 3 ? [1, 0] : [3, 1];
  const run: ReadElements = (offsets, x, y, z, n) => {
    const first = offsets[0] as number;
    const [a, b, c] = [first + x, first + y + next, first + z + 2 * next];
    if (numbers) addRuns(to.data, to.at, numbers, from, a, b, c, step, n);
    else takeRuns(to.data, to.at, from, a, b, c, step, n);
  };
  const ofKeys = (offsets: Int32Array, n: number): ReadElements => {
    if (areConsecutive(offsets, lanes, n)) return run;
    return lanes === 3 ? shared : gather;
  };
  return { gather, ofKeys };
}

/** Whether each key's offset is the one after that of the key before. */
function areConsecutive(offsets: Int32Array, lanes: number, n: number): boolean {
  const first = offsets[0] as number;
  for (let s = 0, key = first; s < n; s = (s + lanes) | 0, key = (key + 1) | 0) {
    if (offsets[s] !== key) return false;
  }
  return true;
}
