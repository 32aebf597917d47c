import type { ProgramNode } from "../form.js";
import type { TableData } from "../sources.js";
import type { Instructions } from "./instructions.js";
import { isInside, type NumberAxis, type SumAxis, tableAxes } from "./table-axes.js";
import { addOffsets, addOffsetsOfSums, addProducts } from "./table-loops.js";
import { type TableReader, tableReader } from "./table-reader.js";
import type { ThreeNumbers } from "./three-numbers.js";
import type { Value } from "./values.js";

/**
 * Adds the instructions that look a table up. Indices that are numbers become a start for each row, once a block; lists become
 * offsets: those of keys, also with numbers added to them, once a tile if they are all inside the table, and one by one for
 * each panel otherwise. Elements that follow one another, as a bias's for consecutive keys, are read without offsets.
 *
 * @param adds present if elements, which are floats then, are added to the value times three numbers, and do not replace it
 */
export function compileTable(
  program: Instructions,
  value: Value,
  node: ProgramNode & { readonly op: "table" },
  adds: ThreeNumbers | null = null,
): void {
  const { space } = value;
  const table = program.bound.tables[node.slot] as TableData;
  const { numbers, ofKeys, sums, ofScores } = tableAxes(program, value, node.args, table.shape);
  const reader = tableReader(value, table, adds, program.lanes);
  const offsets = new Int32Array(program.lengths[space]);
  if (space !== "scores") {
    // Numbers are those of a batch entry here.
    program.of[space].push((_, n) => {
      const start = numbers.reduce((sum, axis) => sum + placeOf(axis, 0), 0);
      offsets.fill(start, 0, n);
      for (const axis of [...ofKeys, ...ofScores]) addOffsets(offsets, offsets, axis, n);
      reader.gather(offsets, 0, 0, 0, n);
    });
    return;
  }
  const starts = new RowStarts(program, numbers, sums);
  const own = ofScores.length > 0 ? new Int32Array(offsets.length) : offsets;
  const clamped = new Int32Array(sums.length > 0 ? offsets.length : 0);
  let read: TableReader["gather"] = reader.gather;
  program.of.keys.push((_, n) => {
    offsets.fill(0, 0, n);
    for (const axis of ofKeys) addOffsets(offsets, offsets, axis, n);
    for (const { list, stride } of sums) addProducts(offsets, list, stride, n);
    starts.setKeys();
    read = ofScores.length > 0 ? reader.gather : reader.ofKeys(offsets, n);
  });
  program.of.scores.push((r, n) => {
    let from = offsets;
    let of = starts.all;
    let readPanel = read;
    if (!starts.areInside(r)) {
      from = clamped;
      of = starts.ofNumbers;
      readPanel = reader.gather;
      from.fill(0, 0, n);
      for (const axis of ofKeys) addOffsets(from, from, axis, n);
      for (const axis of sums) addClamped(from, axis, r, n);
    }
    for (const axis of ofScores) {
      addOffsets(own, from, axis, n);
      from = own;
    }
    adds?.load(r);
    const { lane } = starts;
    readPanel(from, of[r] as number, of[r + lane] as number, of[r + 2 * lane] as number, n);
  });
}

/** Starts of the rows of a block in a table. */
class RowStarts {
  /** If the numbers that are added to keys are part of them, which are inside the table then. */
  readonly all: Int32Array;
  readonly ofNumbers: Int32Array;
  /** From the first row of a panel to the next. */
  readonly lane: 0 | 1;
  readonly #numbers: readonly NumberAxis[];
  readonly #sums: readonly { readonly axis: SumAxis; least: number; most: number }[];
  /** Whether the sums of all rows of the block are inside on the present tile. */
  #areInside = true;

  constructor(program: Instructions, numbers: readonly NumberAxis[], sums: readonly SumAxis[]) {
    const { rows } = program.lengths;
    this.ofNumbers = new Int32Array(rows);
    this.all = sums.length > 0 ? new Int32Array(rows) : this.ofNumbers;
    this.lane = program.lanes === 3 ? 1 : 0;
    this.#numbers = numbers;
    this.#sums = sums.map((axis) => ({ axis, least: 0, most: 0 }));
    program.of.rows.push((_, n) => this.#setRows(n));
  }

  /** Starts a tile, once the ranges of keys are known. */
  setKeys(): void {
    this.#areInside = true;
    for (const { axis, least, most } of this.#sums) {
      const { keys, size } = axis;
      if (keys.least + least < 0 || keys.most + most >= size) this.#areInside = false;
    }
  }

  /** Whether all sums of a panel are inside the table. */
  areInside(r: number): boolean {
    return this.#areInside || this.#sums.every(({ axis }) => isInside(axis, r));
  }

  #setRows(n: number): void {
    const { all, ofNumbers } = this;
    for (let r = 0; r < n; r++) {
      let start = 0;
      for (const axis of this.#numbers) start += placeOf(axis, r);
      ofNumbers[r] = start;
      all[r] = start;
    }
    for (const sum of this.#sums) {
      const { plus, stride } = sum.axis;
      sum.least = Number.POSITIVE_INFINITY;
      sum.most = Number.NEGATIVE_INFINITY;
      for (let r = 0; r < n; r++) {
        const number = plus.numbers[r * plus.step] as number;
        sum.least = Math.min(sum.least, number);
        sum.most = Math.max(sum.most, number);
        (all[r] as number) += Math.imul(number, stride);
      }
    }
  }
}

/** The place at which the elements of a number begin: an index outside the table is the nearest one inside. */
function placeOf({ numbers, step, size, stride }: NumberAxis, r: number): number {
  const index = numbers[r * step] as number;
  return Math.max(0, Math.min(size - 1, index)) * stride;
}

/** Offsets of a panel of which an index may be outside the table. */
function addClamped(o: Int32Array, axis: SumAxis, r: number, n: number): void {
  const { numbers, step, lane } = axis.plus;
  const k = r * step;
  const x = numbers[k] as number;
  const y = numbers[k + lane] as number;
  const z = numbers[k + 2 * lane] as number;
  addOffsetsOfSums(o, axis, x, y, z, n);
}
