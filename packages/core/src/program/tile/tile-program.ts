import { describeValue, InvalidInputError } from "../../errors.js";
import type { BoundProgram } from "../bound.js";
import { type DiagonalKind, diagonalProgram, diagonalsOf } from "../diagonals.js";
import type { ProgramForm, ProgramNode } from "../form.js";
import type { VariableName } from "../types.js";
import { compileChoice } from "./choice.js";
import type { Doubles } from "./doubles.js";
import { takeFloats } from "./float-loops.js";
import { compileCap, compileSum, type ShiftedList } from "./fused.js";
import { type Instruction, Instructions } from "./instructions.js";
import { takeInts } from "./int-loops.js";
import { keyRangeOf } from "./key-sums.js";
import { regroupSums } from "./regroup-sums.js";
import { compileRemainder } from "./remainder.js";
import { RowClasses, type RowInput, type TileClasses } from "./row-classes.js";
import { rowInputsOf } from "./row-inputs.js";
import { type Schedule, scheduleOf } from "./schedule.js";
import { simplifyBools } from "./simplify.js";
import { compileTable } from "./table-instruction.js";
import { makeValue, type Space, type Value, wholeThrees } from "./values.js";

/** The rows of a block, by the values that programs see. */
export interface TileRows {
  /** Query head of each row. */
  readonly head: ArrayLike<number>;
  /** Position of each row's query. */
  readonly position: ArrayLike<number>;
  /** Query index of each row; `firstIndex` is subtracted from it. */
  readonly index: ArrayLike<number>;
  readonly firstIndex?: number;
}

/** Sizes that a {@link TileProgram} is made for. */
export interface TileSizes {
  /** Keys of the largest tile. */
  readonly keys: number;
  /** Rows of the largest block. Default 1. */
  readonly rows?: number;
  /**
   * Rows of a panel, 1 or 3: it is computed at once, and its elements are those of one key after another. Default 1.
   */
  readonly lanes?: 1 | 3;
  /**
   * How many queries with ascending positions a block usually has; then keys have no positions of their own, and what
   * depends on key − query alone is computed once for all of them. Default 0: nothing is.
   */
  readonly ascending?: number;
  /** Whether floats are computed as `programEvaluator` does; otherwise to float32's accuracy. Default true. */
  readonly exact?: boolean;
}

/**
 * The nearest multiple of three that holds a panel of each tile: the array of a panel's scores has as much room.
 *
 * @param keys of a tile
 * @param lanes rows of a panel
 * @throws InvalidInputError
 */
export function panelLength(keys: number, lanes: number): number {
  for (const [argument, count] of [
    ["keys", keys],
    ["lanes", lanes],
  ] as const) {
    if (Number.isSafeInteger(count) && count >= 0) continue;
    throw new InvalidInputError(argument, "an integer ≥ 0", describeValue(count));
  }
  return wholeThrees(keys * lanes);
}

/**
 * A program as instructions, each a loop over a panel of some rows and the keys of a tile, without code that is
 * generated at run time. What depends on keys alone is computed once a tile, what depends on the row alone
 * once a block; only the rest is computed for each score. It gives what `programEvaluator` gives.
 *
 * Methods are called in the order {@link setBatch}, {@link setRows}, {@link setKeys}, and then one of the others.
 */
export class TileProgram {
  readonly #sizes: Required<TileSizes>;
  readonly #instructions: Instructions;
  /** The scores that a program changes, where the caller has them. */
  readonly #score: Value = makeValue("scores", "float32", 0);
  readonly #batch = makeValue("batch", "int32", 1).ints;
  readonly #rows: Readonly<Record<"head" | "position" | "index", Int32Array>>;
  readonly #keys: Int32Array;
  readonly #keyIndices: Int32Array;
  /** Elements of a panel on the present tile. */
  #count = 0;
  /** First key of the tile. */
  #first = 0;
  readonly #visible: Int32Array;
  /** Classes of the rows of a mask program; null for a score program. */
  readonly #classes: RowClasses | null;
  readonly #diagonals: ReadonlyMap<number, DiagonalKind>;

  constructor(given: BoundProgram, sizes: TileSizes) {
    const { keys, rows = 1, lanes = 1, ascending = 0, exact = true } = sizes;
    this.#sizes = { keys, rows, lanes, ascending, exact };
    const found = (form: ProgramForm) => (ascending > 0 ? diagonalsOf(form) : noDiagonals);
    const simple = simplifyBools(given);
    const bound = regroupSums(simple, found(simple.form));
    const { nodes, kind } = bound.form;
    const ofRows = wholeThrees(rows);
    const ofKeys = panelLength(keys, lanes);
    const lengths = { batch: 1, rows: ofRows, keys: ofKeys, scores: ofKeys };
    const instructions = new Instructions(bound, lengths, lanes, exact);
    this.#instructions = instructions;
    const list = (length: number): Int32Array => new Int32Array(length);
    this.#rows = { head: list(ofRows), position: list(ofRows), index: list(ofRows) };
    this.#keys = list(ofKeys);
    this.#keyIndices = list(ofKeys);
    this.#diagonals = found(bound.form);
    const schedule = scheduleOf(bound.form, this.#diagonals);
    const { order, spaces, inPlace, waiting } = schedule;
    for (const n of order) {
      const compile = (): Value => this.#compile(n, spaces[n] as Space, inPlace.has(n));
      const node = this.#diagonals.has(n) ? null : (nodes[n] as ProgramNode);
      if (waiting.has(n)) instructions.putWaiting(n, compile, node);
      else instructions.put(n, compile());
    }
    const last = nodes.length - 1;
    this.#visible = kind === "mask" ? this.#listOf(last) : list(0);
    this.#classes = kind === "mask" ? this.#classesOf(schedule) : null;
    if (kind === "score") this.#storeScores(last);
  }

  /** Starts a batch entry. */
  setBatch(batch: number): void {
    this.#batch[0] = batch;
    for (const run of this.#instructions.of.batch) run(0, 1);
  }

  /** Starts a block of rows. The rows of a panel are consecutive: queries ascend by one at most. */
  setRows(count: number, { head, position, index, firstIndex = 0 }: TileRows): void {
    const rows = this.#rows;
    const all = wholeThrees(count);
    for (let r = 0; r < all; r++) {
      // Rows that fill the last panel are as the last one.
      const from = r < count ? r : count - 1;
      rows.head[r] = head[from] as number;
      rows.position[r] = position[from] as number;
      rows.index[r] = (index[from] as number) - firstIndex;
    }
    for (const run of this.#instructions.of.rows) run(0, all);
    this.#classes?.setRows(count);
  }

  /**
   * Starts a tile of keys.
   *
   * @param first index of its first key
   * @param positions of all keys; null: their indices
   */
  setKeys(first: number, count: number, positions: Int32Array | null = null): void {
    const { lanes } = this.#sizes;
    this.#first = first;
    this.#count = wholeThrees(count * lanes);
    const keys = this.#keys;
    const indices = this.#keyIndices;
    for (let j = 0, s = 0; j < count; j++) {
      const position = positions === null ? first + j : (positions[first + j] as number);
      for (let lane = 0; lane < lanes; lane++, s++) {
        indices[s] = first + j;
        keys[s] = position;
      }
    }
    for (const run of this.#instructions.of.keys) run(0, this.#count);
  }

  /**
   * Gives the scores of a panel their new values, in place.
   *
   * @param r the panel's first row
   * @param scores packed doubles, `[keys, lanes]` from `at` on, with room for `panelLength` of them; those that
   *   fill the last three hold anything afterwards
   */
  changeScores(r: number, scores: Doubles, at: number): void {
    const { floats } = this.#score;
    floats.data = scores;
    floats.at = at;
    this.#run(r);
  }

  /**
   * Tells which keys the rows of a panel see: 0 or 1, `[keys, lanes]`.
   *
   * @param r the panel's first row
   * @returns a list that the next panel overwrites, and that is longer than the tile if the tile is not the largest
   */
  visible(r: number): Int32Array {
    this.#run(r);
    return this.#visible;
  }

  /** Rows of the block that see the same keys of the tile; null where that is not known, or of too few to be of use. */
  classes(): TileClasses | null {
    return this.#classes?.onTile() ?? null;
  }

  #run(r: number): void {
    const instructions = this.#instructions.of.scores;
    for (let k = 0; k < instructions.length; k++) (instructions[k] as Instruction)(r, this.#count);
  }

  #classesOf(schedule: Schedule): RowClasses {
    const instructions = this.#instructions;
    const { bound, lengths } = instructions;
    const { nodes, queries } = rowInputsOf(bound.form, schedule, this.#diagonals);
    const inputs: RowInput[] = nodes.map(({ node, sum }) => {
      const { type, ints, floats } = instructions.value(node);
      const numbers = type === "float32" ? floats.data : ints;
      if (sum === null) return { numbers, sum };
      const { keys, divisor } = sum;
      return {
        numbers,
        sum: { keys: keyRangeOf(instructions, instructions.value(keys)), divisor },
      };
    });
    for (const kind of queries) inputs.push({ numbers: this.#rows[kind], sum: null });
    return new RowClasses(inputs, lengths.rows);
  }

  #compile(n: number, space: Space, inPlace: boolean): Value {
    const instructions = this.#instructions;
    const { bound, lengths } = instructions;
    const node = bound.form.nodes[n] as ProgramNode;
    if (this.#diagonals.has(n)) return this.#diagonalValue(n, node);
    if (node.op === "variable") return this.#variable(node.name);
    if (node.op === "constant" || node.op === "scalar") {
      const value = makeValue("batch", node.type, 1);
      const number = node.op === "constant" ? node.value : (bound.scalars[node.slot] as number);
      if (node.type === "float32") value.floats.data[0] = number;
      else value.ints[0] = number;
      return value;
    }
    const value = inPlace ? this.#score : makeValue(space, node.type, lengths[space]);
    if (inPlace && compileSum(instructions, value, node, (arg) => this.#shiftedList(arg)))
      return value;
    if (compileCap(instructions, value, node)) return value;
    if (compileRemainder(instructions, value, node)) return value;
    if (space !== "batch" && node.op === "table") compileTable(instructions, value, node);
    else if (space !== "batch" && node.op === "where")
      compileChoice(instructions, value, node.args);
    else instructions.compile(value, node);
    return value;
  }

  #variable(name: VariableName): Value {
    const value = (space: Space, ints: Int32Array): Value => ({
      ...makeValue(space, "int32", 0),
      ints,
    });
    switch (name) {
      case "batch":
        return value("batch", this.#batch);
      case "head":
        return value("rows", this.#rows.head);
      case "query":
        return value("rows", this.#rows.position);
      case "queryIndex":
        return value("rows", this.#rows.index);
      case "key":
        return value("keys", this.#keys);
      case "keyIndex":
        return value("keys", this.#keyIndices);
      case "score":
        return this.#score;
    }
  }

  #listOf(n: number): Int32Array {
    return this.#instructions.listOfInts(this.#instructions.value(n), "scores");
  }

  /** A result that the last instruction has not written to the scores' place is copied there. */
  #storeScores(last: number): void {
    if (this.#instructions.value(last) === this.#score) return;
    this.#instructions.copyScores(this.#score.floats, last);
  }

  /** A value that depends on key − query alone: each row has a piece of a longer list, which serves the rows that come next. */
  #diagonalValue(n: number, { type }: ProgramNode): Value {
    const { of, lengths } = this.#instructions;
    const value = makeValue("scores", type, lengths.scores);
    const { list, starts, step, place } = this.#pieces(n);
    of.scores.push((r, count) => {
      place(r, count);
      const [a, b, c] = [starts[0] as number, starts[1] as number, starts[2] as number];
      if (type !== "float32") takeInts(value.ints, list.ints, a, b, c, step, count);
      else takeFloats(value.floats.data, 0, list.floats.data, a, b, c, step, count);
    });
    return value;
  }

  /** A node whose floats depend on key − query alone, and that waits for its reader. */
  #shiftedList(n: number): ShiftedList | null {
    const { bound } = this.#instructions;
    if (!this.#instructions.isWaiting(n) || !this.#diagonals.has(n)) return null;
    if (bound.form.nodes[n]?.type !== "float32") return null;
    const pieces = this.#pieces(n);
    return { ...pieces, list: pieces.list.floats.data };
  }

  #pieces(n: number): Omit<ShiftedList, "list"> & { readonly list: Value } {
    const { keys, lanes, ascending } = this.#sizes;
    const { of, bound } = this.#instructions;
    // Room for the panel's other rows, and for what fills the last three.
    const before = ascending + 3;
    const length = keys + before + 3;
    const inner = new TileProgram(diagonalProgram(bound, n), { keys: length });
    const list = inner.#instructions.value(inner.#instructions.bound.form.nodes.length - 1);
    const kind = this.#diagonals.get(n) as DiagonalKind;
    const queries = kind === "position" ? this.#rows.position : this.#rows.index;
    let start = Number.POSITIVE_INFINITY;
    of.batch.push(() => {
      inner.setBatch(this.#batch[0] as number);
      start = Number.POSITIVE_INFINITY;
    });
    const starts = new Int32Array(3);
    const place = (r: number, count: number): void => {
      const x = this.#first - (queries[r] as number);
      const isPanel = lanes === 3;
      const y = isPanel ? this.#first - (queries[r + 1] as number) : x + 1;
      const z = isPanel ? this.#first - (queries[r + 2] as number) : x + 2;
      const least = Math.min(x, y, z);
      const end = Math.max(x, y, z) + count / lanes;
      if (least < start || end > start + length) {
        start = end - length;
        inner.setKeys(start, length);
      }
      starts[0] = x - start;
      starts[1] = y - start;
      starts[2] = z - start;
    };
    return { list, step: lanes === 3 ? 1 : 3, starts, place };
  }
}

const noDiagonals: ReadonlyMap<number, DiagonalKind> = new Map();
