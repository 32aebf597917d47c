import type { BoundAttention, HostTensor } from "@heed/core";
import { type BoundProgram, constantValues, type TableData } from "@heed/core/program";
import type { Arena } from "../memory/arena.js";
import type { CompiledPrograms } from "./compile.js";
import { floatBits } from "./lower.js";
import type { ConstantSource, TableSource } from "./values.js";

/** A table of a call in wasm memory. */
interface PlacedTable {
  readonly address: number;
  readonly shape: readonly number[];
}

/**
 * Copies the tables of a call's programs into wasm memory.
 *
 * @returns a function that writes the programs' block at a word; it allocates nothing
 */
export function placePrograms(
  arena: Arena,
  compiled: CompiledPrograms,
  bound: BoundAttention,
): (words: Int32Array, at: number) => void {
  const placed = new Map<ArrayBufferView, PlacedTable>();
  const tables = new Map<TableSource, PlacedTable>();
  const tableOf = (source: TableSource): PlacedTable => {
    const known = tables.get(source);
    if (known) return known;
    const data = dataOf(bound, source);
    const same = placed.get(data.data);
    const table = same ?? { address: placeTable(arena, data), shape: data.shape };
    placed.set(data.data, table);
    tables.set(source, table);
    return table;
  };
  const addresses = compiled.tables.map(({ table }) => tableOf(table).address);
  const axes = compiled.axes.map(({ table, axis }) => {
    const { shape } = dataOf(bound, table);
    const stride = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
    return { last: (shape[axis] as number) - 1, stride };
  });
  const { maskMod, scoreMod } = bound;
  const numbers = {
    maskMod: maskMod && constantValues(maskMod),
    scoreMod: scoreMod && constantValues(scoreMod),
  };
  return (words, at) => {
    words.set(compiled.words, at);
    for (const { word, source } of compiled.constants) {
      words.fill(bitsOf(source, numbers), at + word, at + word + 4);
    }
    for (const [i, { word }] of compiled.tables.entries())
      words[at + word] = addresses[i] as number;
    for (const [i, { word }] of compiled.axes.entries()) {
      const { last, stride } = axes[i] as (typeof axes)[number];
      words[at + word] = last;
      words[at + word + 1] = stride;
    }
  };
}

function dataOf(bound: BoundAttention, source: TableSource): TableData {
  if (source === "blocks") {
    const { mask } = (bound.blockMask as NonNullable<BoundAttention["blockMask"]>).blocks;
    return { dtype: "bool", shape: mask.shape, data: mask.data as Uint8Array };
  }
  const program = bound[source.program] as BoundProgram;
  return program.tables[source.slot] as TableData;
}

function placeTable(arena: Arena, { dtype, shape, data }: TableData): number {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const tensor = { dtype, shape, strides, offset: 0, data } as HostTensor;
  return arena.place("table", tensor).address;
}

/** The bits of a constant: a bool is 0 or −1. */
function bitsOf(
  source: ConstantSource,
  numbers: Readonly<Record<"maskMod" | "scoreMod", Float64Array | null>>,
): number {
  if ("bits" in source) return source.bits;
  const value = (numbers[source.program] as Float64Array)[source.node] as number;
  if (source.type === "float32") return floatBits(value);
  return source.type === "bool" ? -value : value;
}
