import type { ProgramNode } from "../form.js";
import type { TableData } from "../sources.js";
import type { Instructions } from "./instructions.js";
import { isWithin, type KeyRange, keyRangeOf, keySumOf, type RowNumbers } from "./key-sums.js";
import {
  addFloats,
  addOffsets,
  addOffsetsOfSums,
  addRuns,
  gatherBools,
  gatherFloats,
  gatherInts,
  takeRuns,
} from "./table-loops.js";
import type { Value } from "./values.js";

/** An index that is a number: it moves where a row's elements begin. */
interface NumberAxis extends RowNumbers {
  readonly size: number;
  readonly stride: number;
}

/** An index that is a list, or the sum of a list of keys and a number. */
interface ListAxis {
  readonly list: Int32Array;
  readonly plus: RowNumbers | null;
  readonly size: number;
  readonly stride: number;
  /** Range of a list that numbers are added to. */
  readonly range: KeyRange | null;
}

/**
 * Adds the instructions that look a table up. Indices that are numbers become a start for each row, lists become offsets: those
 * of keys, also with numbers added to them, once a tile if they are all inside the table, and one by one for each panel
 * otherwise. Elements that follow one another, as a bias's for consecutive keys, are read without offsets.
 *
 * @param adds whether elements, which are floats then, are added to the value, and do not replace it
 */
export function compileTable(
  program: Instructions,
  value: Value,
  node: ProgramNode & { readonly op: "table" },
  adds = false,
): void {
  const { space } = value;
  const table = program.bound.tables[node.slot] as TableData;
  const { numbers, ofKeys, ofScores } = axesOf(program, value, node.args, table.shape);
  const { gather, run } = readers(value, table, adds, program.lanes);
  const offsets = new Int32Array(program.lengths[space]);
  const starts = new Int32Array(3);
  if (space !== "scores") {
    // Numbers are those of a batch entry here.
    program.of[space].push((_, n) => {
      starts.fill(0);
      for (const axis of numbers) addStarts(starts, axis, 0);
      offsets.fill(starts[0] as number, 0, n);
      for (const { list, size, stride } of [...ofKeys, ...ofScores]) {
        addOffsets(offsets, offsets, list, size, stride, n);
      }
      gather(offsets, 0, 0, 0, n);
    });
    return;
  }
  const own = ofScores.length > 0 ? new Int32Array(offsets.length) : offsets;
  let follows = false;
  program.of.keys.push((_, n) => {
    offsets.fill(0, 0, n);
    for (const axis of ofKeys) addKeyOffsets(offsets, axis, n);
    follows = run !== null && ofScores.length === 0 && areConsecutive(offsets, program.lanes, n);
  });
  const clamps = new Int32Array(ofKeys.some(({ plus }) => plus !== null) ? offsets.length : 0);
  program.of.scores.push((r, n) => {
    starts.fill(0);
    for (const axis of numbers) addStarts(starts, axis, r);
    let from = offsets;
    if (ofKeys.every((axis) => isInside(axis, r))) {
      for (const axis of ofKeys) if (axis.plus) addPlus(starts, axis, axis.plus, r);
    } else {
      from = clamps;
      from.fill(0, 0, n);
      for (const axis of ofKeys) addClamped(from, axis, r, n);
    }
    const [x, y, z] = [starts[0] as number, starts[1] as number, starts[2] as number];
    if (follows && from === offsets) {
      run?.(offsets[0] as number, x, y, z, n);
      return;
    }
    for (const { list, size, stride } of ofScores) {
      addOffsets(own, from, list, size, stride, n);
      from = own;
    }
    gather(from, x, y, z, n);
  });
}

function axesOf(
  program: Instructions,
  { space }: Value,
  args: readonly number[],
  shape: readonly number[],
) {
  const numbers: NumberAxis[] = [];
  const ofKeys: ListAxis[] = [];
  const ofScores: ListAxis[] = [];
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const arg = args[axis] as number;
    const size = shape[axis] as number;
    const sum = space === "scores" ? keySumOf(program, arg) : null;
    if (sum) {
      const range = keyRangeOf(program, sum.keys);
      ofKeys.push({ list: sum.keys.ints, plus: sum.rows, size, stride, range });
    } else {
      const value = program.value(arg);
      const isOfKeys = space === "scores" && value.space === "keys";
      const list = { list: value.ints, plus: null, size, stride, range: null };
      if (program.isList(value, space)) (isOfKeys ? ofKeys : ofScores).push(list);
      else numbers.push({ numbers: value.ints, ...program.stepsOf(value), size, stride });
    }
    stride *= size;
  }
  return { numbers, ofKeys, ofScores };
}

/** The loops for a table's dtype: by offsets, and of elements that follow one another. */
function readers(
  { ints, floats }: Value,
  { data, dtype }: TableData,
  adds: boolean,
  lanes: number,
) {
  if (dtype === "float32") {
    const from = data as Float32Array;
    const put = adds ? addFloats : gatherFloats;
    const putRuns = adds ? addRuns : takeRuns;
    const [step, next] = lanes === 3 ? [1, 0] : [3, 1];
    return {
      gather: (offsets: Int32Array, x: number, y: number, z: number, n: number) =>
        put(floats.data, floats.at, from, offsets, x, y, z, n),
      run: (at: number, x: number, y: number, z: number, n: number) =>
        putRuns(floats.data, floats.at, from, at + x, at + y + next, at + z + 2 * next, step, n),
    };
  }
  const gather =
    dtype === "bool"
      ? (offsets: Int32Array, x: number, y: number, z: number, n: number) =>
          gatherBools(ints, data as Uint8Array, offsets, x, y, z, n)
      : (offsets: Int32Array, x: number, y: number, z: number, n: number) =>
          gatherInts(ints, data as Int32Array, offsets, x, y, z, n);
  return { gather, run: null };
}

/** Offsets of a list of keys: clamped, or as they are if numbers are added to them later. */
function addKeyOffsets(offsets: Int32Array, axis: ListAxis, n: number): void {
  const { list, plus, size, stride } = axis;
  if (plus === null) {
    addOffsets(offsets, offsets, list, size, stride, n);
    return;
  }
  for (let s = 0; s < n; s = (s + 1) | 0) {
    (offsets[s] as number) += Math.imul(list[s] as number, stride);
  }
}

/** Whether each key's offset is the one after that of the key before, for all rows of a panel. */
function areConsecutive(offsets: Int32Array, lanes: number, n: number): boolean {
  const first = offsets[0] as number;
  for (let s = 0; s < n; s = (s + 1) | 0) {
    const key = lanes === 3 ? (s / 3) | 0 : s;
    if (offsets[s] !== ((first + key) | 0)) return false;
  }
  return true;
}

function addStarts(starts: Int32Array, axis: NumberAxis, r: number): void {
  const { numbers, step, lane, size, stride } = axis;
  for (let l = 0; l < 3; l++) {
    const index = numbers[r * step + l * lane] as number;
    (starts[l] as number) += Math.max(0, Math.min(size - 1, index)) * stride;
  }
}

/** Whether a panel's indices are inside the table as they are, or are clamped already. */
function isInside({ plus, range, size }: ListAxis, r: number): boolean {
  return plus === null || range === null || isWithin(range, plus, r, 0, size);
}

function addPlus(starts: Int32Array, axis: ListAxis, plus: RowNumbers, r: number): void {
  const { numbers, step, lane } = plus;
  for (let l = 0; l < 3; l++) {
    (starts[l] as number) += Math.imul(numbers[r * step + l * lane] as number, axis.stride);
  }
}

/** Offsets of a panel of which an index may be outside the table. */
function addClamped(
  o: Int32Array,
  { list, plus, size, stride }: ListAxis,
  r: number,
  n: number,
): void {
  if (plus === null) {
    addOffsets(o, o, list, size, stride, n);
    return;
  }
  const { numbers, step, lane } = plus;
  const k = r * step;
  const [x, y, z] = [numbers[k], numbers[k + lane], numbers[k + 2 * lane]] as [
    number,
    number,
    number,
  ];
  addOffsetsOfSums(o, list, size, stride, x, y, z, n);
}
