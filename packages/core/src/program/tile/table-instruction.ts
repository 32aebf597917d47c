import type { ProgramNode } from "../form.js";
import type { TableData } from "../sources.js";
import type { Doubles } from "./doubles.js";
import type { Instructions } from "./instructions.js";
import type { Space, Value } from "./values.js";

/** An index that is a number: it moves where a row's elements begin. */
interface NumberAxis {
  readonly numbers: Int32Array;
  readonly step: number;
  readonly lane: number;
  readonly size: number;
  readonly stride: number;
}

interface ListAxis {
  readonly list: Int32Array;
  readonly size: number;
  readonly stride: number;
}

/**
 * Adds the instructions that look a table up: indices that are lists become offsets, those of keys once a tile, and
 * indices that are numbers become a start for each row.
 *
 * @param adds whether elements, which are floats then, are added to the value, and do not replace it
 */
export function compileTable(
  program: Instructions,
  { space, ints, floats }: Value,
  node: ProgramNode & { readonly op: "table" },
  adds = false,
): void {
  const { shape, data, dtype } = program.bound.tables[node.slot] as TableData;
  const starts: NumberAxis[] = [];
  const lists: Record<"keys" | "own", ListAxis[]> = { keys: [], own: [] };
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const value = program.values[node.args[axis] as number] as Value;
    const size = shape[axis] as number;
    if (program.isList(value, space)) {
      const early = space === "scores" && value.space === "keys";
      lists[early ? "keys" : "own"].push({ list: value.ints, size, stride });
    } else {
      starts.push({ numbers: value.ints, ...program.stepsOf(value), size, stride });
    }
    stride *= size;
  }
  const offsets = new Int32Array(program.lengths[space]);
  if (lists.own.length === 0) addOffsetsOf(program, "keys", offsets, lists.keys, null);
  else if (lists.keys.length === 0) addOffsetsOf(program, space, offsets, lists.own, null);
  else {
    const ofKeys = new Int32Array(program.lengths.scores);
    addOffsetsOf(program, "keys", ofKeys, lists.keys, null);
    addOffsetsOf(program, space, offsets, lists.own, ofKeys);
  }
  const gather = (x: number, y: number, z: number, n: number): void => {
    if (dtype === "float32") {
      const put = adds ? addFloats : gatherFloats;
      put(floats.data, floats.at, data as Float32Array, offsets, x, y, z, n);
    } else if (dtype === "bool") gatherBools(ints, data as Uint8Array, offsets, x, y, z, n);
    else gatherInts(ints, data as Int32Array, offsets, x, y, z, n);
  };
  program.of[space].push((r, n) => {
    let [x, y, z] = [0, 0, 0];
    for (const { numbers, step, lane, size, stride } of starts) {
      const k = r * step;
      x += clamped(numbers[k] as number, size) * stride;
      y += clamped(numbers[k + lane] as number, size) * stride;
      z += clamped(numbers[k + 2 * lane] as number, size) * stride;
    }
    gather(x, y, z, n);
  });
}

/** Adds the instruction that turns indices of some axes into offsets, beside those that are known. */
function addOffsetsOf(
  program: Instructions,
  space: Space,
  offsets: Int32Array,
  axes: readonly ListAxis[],
  known: Int32Array | null,
): void {
  const [first, ...others] = axes;
  program.of[space].push((_, n) => {
    if (first === undefined) offsets.fill(0, 0, n);
    else if (known === null) putOffsets(offsets, first.list, first.size, first.stride, n);
    else addOffsets(offsets, known, first.list, first.size, first.stride, n);
    for (const { list, size, stride } of others) {
      addOffsets(offsets, offsets, list, size, stride, n);
    }
  });
}

function clamped(index: number, size: number): number {
  return Math.max(0, Math.min(size - 1, index));
}

/** Clamped indices of an axis, times its stride. */
function putOffsets(
  o: Int32Array,
  indices: Int32Array,
  size: number,
  stride: number,
  n: number,
): void {
  const last = (size - 1) | 0;
  for (let s = 0; s < n; s = (s + 1) | 0) {
    const index = indices[s] as number;
    o[s] = Math.imul(index < 0 ? 0 : index < last ? index : last, stride);
  }
}

/** Adds clamped indices of an axis, times its stride, to offsets. */
function addOffsets(
  o: Int32Array,
  known: Int32Array,
  indices: Int32Array,
  size: number,
  stride: number,
  n: number,
): void {
  const last = (size - 1) | 0;
  for (let s = 0; s < n; s = (s + 1) | 0) {
    const index = indices[s] as number;
    const place = Math.imul(index < 0 ? 0 : index < last ? index : last, stride);
    o[s] = (known[s] as number) + place;
  }
}

// Elements at offsets from three starts in turn.

function gatherInts(
  o: Int32Array,
  data: Int32Array,
  offsets: Int32Array,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    o[s] = data[((offsets[s] as number) + x) | 0] as number;
    o[t] = data[((offsets[t] as number) + y) | 0] as number;
    o[u] = data[((offsets[u] as number) + z) | 0] as number;
  }
}

function gatherBools(
  o: Int32Array,
  data: Uint8Array,
  offsets: Int32Array,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    o[s] = +(data[((offsets[s] as number) + x) | 0] !== 0);
    o[t] = +(data[((offsets[t] as number) + y) | 0] !== 0);
    o[u] = +(data[((offsets[u] as number) + z) | 0] !== 0);
  }
}

function gatherFloats(
  o: Doubles,
  to: number,
  data: Float32Array,
  offsets: Int32Array,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    o[(to + s) | 0] = data[((offsets[s] as number) + x) | 0] as number;
    o[(to + t) | 0] = data[((offsets[t] as number) + y) | 0] as number;
    o[(to + u) | 0] = data[((offsets[u] as number) + z) | 0] as number;
  }
}

/** Adds elements to a list. */
function addFloats(
  o: Doubles,
  to: number,
  data: Float32Array,
  offsets: Int32Array,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    (o[(to + s) | 0] as number) += data[((offsets[s] as number) + x) | 0] as number;
    (o[(to + t) | 0] as number) += data[((offsets[t] as number) + y) | 0] as number;
    (o[(to + u) | 0] as number) += data[((offsets[u] as number) + z) | 0] as number;
  }
}
