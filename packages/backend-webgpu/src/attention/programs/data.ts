import { type AttentionProblem, type BoundAttention, headsPerGroup, Sequence } from "@heed/core";
import type { BlockMask, BoundProgram, TableData } from "@heed/core/program";
import type { Choice } from "../choose.js";
import { gatheredLayout } from "../gathered.js";
import { programsOf, programWords, tableNumber } from "./kernel-programs.js";
import type { ProgramLayout } from "./layout.js";
import { TileMap, writeBlocks } from "./tile-map.js";

/** Everything that a call's map and blocks follow from, apart from tables. */
interface Circumstances {
  readonly blocks: BlockMask | null;
  readonly skipsProgram: boolean;
  readonly numbers: readonly (ArrayLike<number> | null)[];
}

/** Words of a call, and what they were made of. */
interface Made {
  readonly words: Uint32Array;
  readonly circumstances: Circumstances;
  readonly tables: readonly TablePlace[];
}

/** A table in the words of a call. */
interface TablePlace {
  readonly at: number;
  readonly data: TableData["data"];
}

/**
 * The buffer `programs` of a plan's calls: maps of tiles, the block mask's bits and tables. As long as calls give
 * the same, their words are one object, which whoever puts them on the device tells by.
 */
export class ProgramData {
  readonly #problem: AttentionProblem;
  readonly #choice: Choice;
  readonly #layout: ProgramLayout;
  #made: Made | null = null;

  constructor(problem: AttentionProblem, choice: Choice, layout: ProgramLayout) {
    this.#problem = problem;
    this.#choice = choice;
    this.#layout = layout;
  }

  /** The words of a call; not to be written to. */
  words(bound: BoundAttention): Uint32Array {
    const tables = tablesOf(bound);
    const circumstances = circumstancesOf(bound);
    const made = this.#made;
    const sameTables = made !== null && equalTables(made.tables, tables);
    if (made && sameTables && equalCircumstances(made.circumstances, circumstances)) {
      return made.words;
    }
    let next = this.#layout.tables;
    const places = tables.map(({ data }): TablePlace => {
      const at = next;
      next += Math.ceil(data.byteLength / 4);
      return { at, data: data.slice() };
    });
    const words = new Uint32Array(Math.max(4, next));
    const bytes = new Uint8Array(words.buffer);
    for (const { at, data } of places) {
      bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 4 * at);
    }
    this.#writeMaps(bound, words);
    this.#made = { words, circumstances, tables: places };
    return words;
  }

  /**
   * Writes a call's scalars and the places and sizes of its tables into its rules, after `words` of the same call.
   */
  writeRules(bound: BoundAttention, view: DataView): void {
    const programs = programsOf(this.#problem);
    if (programs === null) return;
    const { maskMod, scoreMod } = bound;
    const own = programWords(programs);
    const first = 16 * this.#layout.vector;
    const at = (word: number): number => first + 4 * word;
    for (const [i, value] of own.specials.entries()) view.setFloat32(at(i), value, true);
    for (const program of [maskMod, scoreMod]) {
      if (program === null) continue;
      const { kind, scalars } = program.form;
      for (const [slot, value] of program.scalars.entries()) {
        const place = at(own.scalar(kind, slot));
        if (scalars[slot] === "float32") view.setFloat32(place, value, true);
        else view.setInt32(place, value, true);
      }
    }
    const sizesAt = first + 16 * Math.ceil(own.count / 4);
    const places = this.#made?.tables ?? [];
    for (const program of [maskMod, scoreMod]) {
      for (const [slot, { shape }] of (program?.tables ?? []).entries()) {
        const number = tableNumber(programs, (program as BoundProgram).form.kind, slot);
        view.setInt32(at(own.tables + number), places[number]?.at ?? 0, true);
        for (const [axis, size] of shape.entries()) {
          view.setInt32(sizesAt + 16 * number + 4 * axis, size, true);
        }
      }
    }
  }

  #writeMaps(bound: BoundAttention, words: Uint32Array): void {
    const { maps, blocks } = this.#layout;
    if (blocks && bound.blockMask && !bound.blockMask.skipsProgram) {
      writeBlocks(bound.blockMask.blocks, words, blocks.at, blocks.words);
    }
    if (maps.length === 0) return;
    const map = new TileMap(bound, words);
    const { gathered, stack } = this.#choice;
    if (!gathered) {
      for (const one of maps) map.writeNumbered(one, stack);
      return;
    }
    const { lists } = gatheredLayout(this.#problem, this.#choice);
    const group = headsPerGroup(this.#problem);
    const next = maps.map(() => 0);
    for (let s = 0; s < this.#problem.sequences; s++) {
      const sequence = new Sequence(this.#problem, bound, s);
      const rows = group * sequence.queryLength;
      for (const [i, one] of maps.entries()) {
        const { least, most } = lists[i] as (typeof lists)[number];
        if (rows < least || rows > most) continue;
        const items = Math.ceil(rows / one.rows);
        map.writeItems(one, s, sequence, group, next[i] as number, items);
        next[i] = (next[i] as number) + items;
      }
    }
  }
}

/** Tables of the mask program, then those of the score program. */
function tablesOf({ maskMod, scoreMod }: BoundAttention): readonly TableData[] {
  return [...(maskMod?.tables ?? []), ...(scoreMod?.tables ?? [])];
}

function circumstancesOf(bound: BoundAttention): Circumstances {
  const { blockMask, maskMod, offsets, kvLengths } = bound;
  const { queryStarts, keyStarts, queryPositions, keyPositions } = bound;
  return {
    blocks: blockMask?.blocks ?? null,
    skipsProgram: blockMask?.skipsProgram ?? false,
    numbers: [
      maskMod?.scalars ?? null,
      maskMod ? maskMod.tables.flatMap(({ shape }) => [...shape]) : null,
      bound.scoreMod ? bound.scoreMod.tables.flatMap(({ shape }) => [...shape]) : null,
      offsets,
      kvLengths,
      queryStarts,
      keyStarts,
      queryPositions,
      keyPositions,
    ],
  };
}

function equalCircumstances(a: Circumstances, b: Circumstances): boolean {
  return (
    equalBlocks(a.blocks, b.blocks) &&
    a.skipsProgram === b.skipsProgram &&
    a.numbers.every((numbers, i) => equalNumbers(numbers, b.numbers[i] ?? null))
  );
}

/** Block masks that are given as data are read anew by each call. */
function equalBlocks(a: BlockMask | null, b: BlockMask | null): boolean {
  if (a === null || b === null || a.origin || b.origin) return a === b;
  const [x, y] = [a.rows, b.rows];
  return (
    equalNumbers(x.starts, y.starts) && equalNumbers(x.first, y.first) && equalNumbers(x.end, y.end)
  );
}

function equalNumbers(a: ArrayLike<number> | null, b: ArrayLike<number> | null): boolean {
  if (a === null || b === null) return a === b;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function equalTables(places: readonly TablePlace[], tables: readonly TableData[]): boolean {
  return places.every(({ data }, i) => equalBits(data, (tables[i] as TableData).data));
}

/** By bits, since NaN is not equal to itself. */
function equalBits(a: TableData["data"], b: TableData["data"]): boolean {
  if (a.length !== b.length) return false;
  const asInts = (t: TableData["data"]): Int32Array | Uint8Array =>
    t instanceof Float32Array ? new Int32Array(t.buffer, t.byteOffset, t.length) : t;
  const [x, y] = [asInts(a), asInts(b)];
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false;
  return true;
}
