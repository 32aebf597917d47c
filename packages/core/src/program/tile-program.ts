import { applyOperation, convert } from "./arithmetic.js";
import type { BoundProgram } from "./bound.js";
import { dependence, dependencesOf } from "./dependences.js";
import { type DiagonalKind, diagonalProgram, diagonalsOf, neededNodes } from "./diagonals.js";
import { lookUp } from "./evaluate.js";
import type { ProgramNode } from "./form.js";
import type { TableData } from "./sources.js";
import {
  addOffsets,
  chooseFloats,
  chooseInts,
  copyFloats,
  copyInts,
  floatComparisons,
  floatList,
  floatListAndNumber,
  floatLists,
  floatsToBools,
  gatherBools,
  gatherFloats,
  gatherInts,
  intList,
  intListAndNumber,
  intLists,
  intsToBools,
  intsToFloats,
} from "./tile-loops.js";
import type { OperationName, ProgramType } from "./types.js";

/** A piece of the program: one node, for all keys of a tile or as one number. */
type Instruction = (n: number) => void;

/** A node that changes from row to row, and one that changes from key to key. */
const withRow = dependence.head | dependence.query | dependence.score;
const withKey = dependence.key | dependence.score;

const noDiagonals: ReadonlyMap<number, DiagonalKind> = new Map();

const mirrored: Readonly<Record<string, string>> = {
  less: "greater",
  lessEqual: "greaterEqual",
  greater: "less",
  greaterEqual: "lessEqual",
  subtract: "reverseSubtract",
};
const symmetric: ReadonlySet<string> = new Set(
  "add multiply minimum maximum equal notEqual and or".split(" "),
);
const comparisons: ReadonlySet<string> = new Set(
  "equal notEqual less lessEqual greater greaterEqual".split(" "),
);

/**
 * A program as instructions, each a loop over the keys of a tile, without code that is generated at run time. What
 * depends on keys alone is computed once a tile, what depends on the row alone once a row, as one
 * number; only the rest is computed for each score. It gives what `programEvaluator` gives.
 */
export class TileProgram {
  /** The scores of a row, for a score program: the caller fills it before each row. */
  readonly score: Float64Array;
  readonly #values: Float64Array;
  readonly #ints: Int32Array[] = [];
  readonly #floats: Float64Array[] = [];
  readonly #offsets: Int32Array;
  readonly #changes: Uint8Array;
  readonly #ofCall: Instruction[] = [];
  readonly #ofTile: Instruction[] = [];
  readonly #ofRow: Instruction[] = [];
  readonly #result: Int32Array | Float64Array;
  readonly #fillResult: boolean;
  readonly #keys: Int32Array;
  readonly #keyIndices: Int32Array;
  #batch = 0;
  #head = 0;
  #query = 0;
  #queryIndex = 0;
  #count = 0;
  /** First key of the tile. */
  #first = 0;
  /** Told of a new batch entry. */
  readonly #starts: ((batch: number) => void)[] = [];

  /**
   * @param mostKeys keys of the largest tile
   * @param rows how many rows with ascending positions usually follow one another on a tile; then keys have no positions of
   *   their own, and what depends on key − query alone is computed once for all of them. 0: nothing is
   */
  constructor(bound: BoundProgram, mostKeys: number, rows = 0) {
    const { nodes } = bound.form;
    const diagonals = rows > 0 ? diagonalsOf(bound.form) : noDiagonals;
    const needed = neededNodes(bound.form, diagonals);
    this.#values = new Float64Array(nodes.length);
    this.#changes = dependencesOf(bound.form);
    this.#keys = new Int32Array(mostKeys);
    this.#keyIndices = new Int32Array(mostKeys);
    this.#offsets = new Int32Array(bound.tables.length > 0 ? mostKeys : 0);
    this.score = new Float64Array(bound.form.kind === "score" ? mostKeys : 0);
    nodes.forEach((node, n) => {
      if (!needed.has(n)) return;
      const kind = diagonals.get(n);
      if (kind) {
        this.#allocateResult(n, node.type, mostKeys);
        this.#ofRow.push(this.#compileDiagonal(n, kind, bound, mostKeys + rows, rows));
        return;
      }
      const changes = this.#changes[n] as number;
      if (changes & withKey) this.#allocate(n, node, mostKeys);
      const instruction = this.#compile(n, node, bound);
      if (instruction) {
        const list =
          changes & withRow ? this.#ofRow : changes & withKey ? this.#ofTile : this.#ofCall;
        list.push(instruction);
      }
    });
    const last = nodes.length - 1;
    this.#fillResult = ((this.#changes[last] as number) & withKey) === 0;
    if (this.#fillResult) this.#allocateResult(last, (nodes[last] as ProgramNode).type, mostKeys);
    this.#result = (this.#ints[last] ?? this.#floats[last]) as Int32Array | Float64Array;
  }

  /** Starts a batch entry; before {@link setKeys}. */
  setBatch(batch: number): void {
    this.#batch = batch;
    for (const run of this.#ofCall) run(0);
    for (const start of this.#starts) start(batch);
  }

  /**
   * Starts a tile of keys.
   *
   * @param first index of its first key
   * @param positions of all keys; null: their indices
   */
  setKeys(first: number, count: number, positions: Int32Array | null = null): void {
    this.#count = count;
    this.#first = first;
    const keys = this.#keys;
    const indices = this.#keyIndices;
    for (let j = 0; j < count; j++) indices[j] = first + j;
    if (positions === null) keys.set(indices);
    else for (let j = 0; j < count; j++) keys[j] = positions[first + j] as number;
    for (const run of this.#ofTile) run(count);
  }

  /**
   * Runs the program for one row and the keys of the tile.
   *
   * @returns of each key whether it is visible, 0 or 1 (of a mask), or its score: an array that the
   *   next row overwrites, and that is longer than the tile if the tile is not the largest
   */
  run(head: number, query: number, queryIndex: number): Int32Array | Float64Array {
    this.#head = head;
    this.#query = query | 0;
    this.#queryIndex = queryIndex;
    const count = this.#count;
    const instructions = this.#ofRow;
    for (let k = 0; k < instructions.length; k++) (instructions[k] as Instruction)(count);
    if (this.#fillResult) {
      this.#result.fill(this.#values[this.#values.length - 1] as number, 0, count);
    }
    return this.#result;
  }

  #allocate(n: number, node: ProgramNode, mostKeys: number): void {
    if (node.op === "variable") {
      if (node.name === "score") this.#floats[n] = this.score;
      else this.#ints[n] = node.name === "key" ? this.#keys : this.#keyIndices;
    } else {
      this.#allocateResult(n, node.type, mostKeys);
    }
  }

  #allocateResult(n: number, type: ProgramType, mostKeys: number): void {
    if (type === "float32") this.#floats[n] = new Float64Array(mostKeys);
    else this.#ints[n] = new Int32Array(mostKeys);
  }

  /**
   * A value that depends on key − query alone: a piece of a longer list, which serves the rows that come next.
   *
   * @param length of the list
   * @param before how much of it lies before the present row's piece: a later query's begins lower
   */
  #compileDiagonal(
    n: number,
    kind: DiagonalKind,
    bound: BoundProgram,
    length: number,
    before: number,
  ): Instruction {
    const inner = new TileProgram(diagonalProgram(bound, n), length);
    let start = Number.POSITIVE_INFINITY;
    this.#starts.push((batch) => {
      inner.setBatch(batch);
      start = Number.POSITIVE_INFINITY;
    });
    const ints = this.#ints[n];
    const floats = this.#floats[n];
    return (count) => {
      const first = this.#first - (kind === "position" ? this.#query : this.#queryIndex);
      if (first < start || first + count > start + length) {
        start = first - before;
        inner.setKeys(start, length);
        inner.run(0, 0, 0);
      }
      if (ints) copyInts(ints, inner.#result as Int32Array, first - start, count);
      else copyFloats(floats as Float64Array, inner.#result as Float64Array, first - start, count);
    };
  }

  #compile(n: number, node: ProgramNode, bound: BoundProgram): Instruction | null {
    const values = this.#values;
    switch (node.op) {
      case "constant":
        values[n] = node.value;
        return null;
      case "scalar":
        values[n] = bound.scalars[node.slot] as number;
        return null;
      case "variable":
        return this.#compileVariable(n, node.name);
    }
    const isList = (arg: number): boolean => ((this.#changes[arg] as number) & withKey) !== 0;
    if (!node.args.some(isList)) return this.#compileNumber(n, node, bound);
    if (node.op === "table") return this.#compileTable(n, node, bound);
    return this.#compileLists(n, node.op, node.type, node.args, bound);
  }

  #compileVariable(n: number, name: string): Instruction | null {
    const values = this.#values;
    switch (name) {
      case "batch":
        return () => {
          values[n] = this.#batch;
        };
      case "head":
        return () => {
          values[n] = this.#head;
        };
      case "query":
        return () => {
          values[n] = this.#query;
        };
      case "queryIndex":
        return () => {
          values[n] = this.#queryIndex;
        };
      default:
        return null;
    }
  }

  /** A node that is the same number for all keys of the tile. */
  #compileNumber(n: number, node: ProgramNode, bound: BoundProgram): Instruction {
    const values = this.#values;
    if (node.op === "table") {
      const table = bound.tables[node.slot] as TableData;
      return () => {
        values[n] = lookUp(table, node.args, values);
      };
    }
    const name = node.op as OperationName;
    const [a = 0, b = 0, c = 0] = node.args;
    const from = (bound.form.nodes[name === "where" ? b : a] as ProgramNode).type;
    return () => {
      const [x, y, z] = [values[a] as number, values[b] as number, values[c] as number];
      values[n] = applyOperation(name, from, node.type, x, y, z);
    };
  }

  #compileTable(
    n: number,
    node: ProgramNode & { readonly op: "table" },
    bound: BoundProgram,
  ): Instruction {
    const { shape, data, dtype } = bound.tables[node.slot] as TableData;
    const values = this.#values;
    const offsets = this.#offsets;
    const lists: { list: Int32Array; size: number; stride: number }[] = [];
    const numbers: { arg: number; size: number; stride: number }[] = [];
    let stride = 1;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const arg = node.args[axis] as number;
      const size = shape[axis] as number;
      const list = this.#ints[arg];
      if (list) lists.push({ list, size, stride });
      else numbers.push({ arg, size, stride });
      stride *= size;
    }
    const ints = this.#ints[n] as Int32Array;
    const floats = this.#floats[n] as Float64Array;
    return (count) => {
      let start = 0;
      for (const { arg, size, stride } of numbers) {
        start += Math.max(0, Math.min(size - 1, values[arg] as number)) * stride;
      }
      offsets.fill(start, 0, count);
      for (const { list, size, stride } of lists) addOffsets(offsets, list, size, stride, count);
      if (dtype === "float32") gatherFloats(floats, data as Float32Array, offsets, count);
      else if (dtype === "bool") gatherBools(ints, data as Uint8Array, offsets, count);
      else gatherInts(ints, data as Int32Array, offsets, count);
    };
  }

  #compileLists(
    n: number,
    name: OperationName,
    type: ProgramType,
    args: readonly number[],
    bound: BoundProgram,
  ): Instruction {
    const [a = 0, b = 0] = args;
    const from = (bound.form.nodes[a] as ProgramNode).type;
    if (name === "astype") return this.#compileConversion(n, a, from, type);
    if (name === "where") return this.#compileChoice(n, type, args);
    if (args.length === 1) {
      if (type === "float32") {
        const loop = floatList[name] as (typeof floatList)[string];
        return (count) =>
          loop(this.#floats[n] as Float64Array, this.#floats[a] as Float64Array, count);
      }
      const loop = intList[name] as (typeof intList)[string];
      return (count) => loop(this.#ints[n] as Int32Array, this.#ints[a] as Int32Array, count);
    }
    return from === "float32"
      ? this.#compileFloats(n, name, a, b)
      : this.#compileInts(n, name, a, b);
  }

  #compileInts(n: number, name: string, a: number, b: number): Instruction {
    const values = this.#values;
    const out = this.#ints[n] as Int32Array;
    const first = this.#ints[a];
    const second = this.#ints[b];
    if (first && second) {
      if (name === "greater" || name === "greaterEqual") {
        return this.#compileInts(n, name === "greater" ? "less" : "lessEqual", b, a);
      }
      const loop = intLists[name] as (typeof intLists)[string];
      return (count) => loop(out, first, second, count);
    }
    if (first) {
      const loop = intListAndNumber[name] as (typeof intListAndNumber)[string];
      return (count) => loop(out, first, (values[b] as number) | 0, count);
    }
    const list = second as Int32Array;
    const swapped = symmetric.has(name) ? name : mirrored[name];
    if (swapped) {
      const loop = intListAndNumber[swapped] as (typeof intListAndNumber)[string];
      return (count) => loop(out, list, (values[a] as number) | 0, count);
    }
    const loop = intLists[name] as (typeof intLists)[string];
    const filled = new Int32Array(out.length);
    return (count) => loop(out, filled.fill(values[a] as number, 0, count), list, count);
  }

  #compileFloats(n: number, name: string, a: number, b: number): Instruction {
    const values = this.#values;
    if (comparisons.has(name)) {
      if (name === "greater" || name === "greaterEqual") {
        return this.#compileFloats(n, name === "greater" ? "less" : "lessEqual", b, a);
      }
      const out = this.#ints[n] as Int32Array;
      const first = this.#floatsOf(a);
      const second = this.#floatsOf(b);
      const loop = floatComparisons[name] as (typeof floatComparisons)[string];
      return (count) => loop(out, first(count), second(count), count);
    }
    const out = this.#floats[n] as Float64Array;
    const first = this.#floats[a];
    const second = this.#floats[b];
    if (first && !second && floatListAndNumber[name]) {
      const loop = floatListAndNumber[name];
      return (count) => loop(out, first, values[b] as number, count);
    }
    const swapped = symmetric.has(name) ? name : mirrored[name];
    if (second && !first && swapped) {
      const loop = floatListAndNumber[swapped] as (typeof floatListAndNumber)[string];
      return (count) => loop(out, second, values[a] as number, count);
    }
    const loop = floatLists[name] as (typeof floatLists)[string];
    const left = this.#floatsOf(a);
    const right = this.#floatsOf(b);
    return (count) => loop(out, left(count), right(count), count);
  }

  /** A node's floats as a list, filled with its number if it is one. */
  #floatsOf(arg: number): (count: number) => Float64Array {
    const list = this.#floats[arg];
    if (list) return () => list;
    const filled = new Float64Array(this.#keys.length);
    return (count) => filled.fill(this.#values[arg] as number, 0, count);
  }

  #intsOf(arg: number): (count: number) => Int32Array {
    const list = this.#ints[arg];
    if (list) return () => list;
    const filled = new Int32Array(this.#keys.length);
    return (count) => filled.fill(this.#values[arg] as number, 0, count);
  }

  #compileChoice(n: number, type: ProgramType, args: readonly number[]): Instruction {
    const [condition, a, b] = args as readonly [number, number, number];
    const chooser = this.#intsOf(condition);
    if (type === "float32") {
      const out = this.#floats[n] as Float64Array;
      const first = this.#floatsOf(a);
      const second = this.#floatsOf(b);
      return (count) => chooseFloats(out, chooser(count), first(count), second(count), count);
    }
    const out = this.#ints[n] as Int32Array;
    const first = this.#intsOf(a);
    const second = this.#intsOf(b);
    return (count) => chooseInts(out, chooser(count), first(count), second(count), count);
  }

  #compileConversion(n: number, a: number, from: ProgramType, to: ProgramType): Instruction {
    const ints = this.#ints[a] as Int32Array;
    const floats = this.#floats[a] as Float64Array;
    if (to === "float32") {
      const out = this.#floats[n] as Float64Array;
      return (count) => intsToFloats(out, ints, count);
    }
    const out = this.#ints[n] as Int32Array;
    if (from === "float32") {
      if (to === "bool") return (count) => floatsToBools(out, floats, count);
      return (count) => {
        for (let i = 0; i < count; i++) out[i] = convert(floats[i] as number, "int32");
      };
    }
    // A bool is 0 or 1, which is its int32.
    if (to === "bool") return (count) => intsToBools(out, ints, count);
    return (count) => {
      for (let i = 0; i < count; i++) out[i] = ints[i] as number;
    };
  }
}
