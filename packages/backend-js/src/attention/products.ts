import type { KeyRange } from "@heed/core";
import type { Packed } from "../tensor/pack.js";
import type { Block, Tile } from "./block.js";
import { allFinite, guardedValues } from "./kernels/guarded.js";
import { streamScores, streamValues } from "./kernels/stream.js";
import { panelKeys, tileScores, tileValues } from "./kernels/tile.js";
import { StoredRows, type TileRows } from "./stored-rows.js";

/** The two products of a tile: of queries with keys, and of weights with values. */
export class TileProducts {
  readonly #block: Block;
  readonly #keys: StoredRows;
  readonly #values: StoredRows;

  constructor(block: Block) {
    const { key, value, keyScales, valueScales } = block.inputs;
    this.#block = block;
    this.#keys = new StoredRows(key, keyScales);
    this.#values = new StoredRows(value, valueScales);
  }

  /** Step 1 of the semantics: the scaled dot products of the block's rows with a tile's keys. */
  score(tile: Tile): void {
    const block = this.#block;
    const { keyStride: stride } = block.plan;
    const { scores, query, key, key32, rowProducts } = block.space;
    const { headDim } = block.problem;
    const keys = tile.end - tile.start;
    if (block.streams) {
      this.#forEachStreamed(this.#keys, tile, key32, headDim, (rows, before, count) => {
        const { data, base, stride: next } = rows;
        for (let r = tile.from; r < tile.to; r++) {
          const at = r * stride + before;
          streamScores(query, r, data, base, next, count, headDim, scores, at);
        }
      });
      return;
    }
    this.#keys.packPanels(key, panelKeys, block.sequence, block.keyHead, tile);
    const paddedKeys = Math.ceil(keys / panelKeys) * panelKeys;
    const { from, to } = tile;
    if (rowProducts) rowProducts.scores(query, key, scores, from, to, paddedKeys, headDim, stride);
    else tileScores(query, key, scores, from, to, paddedKeys, headDim, stride);
  }

  /** Step 6 of the semantics, over a tile: adds the values by their weights. */
  addValues(tile: Tile): void {
    const block = this.#block;
    const { keyStride: stride, valueStride } = block.plan;
    const { scores, output, value, value32, rowProducts } = block.space;
    const { valueDim } = block.problem;
    const keys = tile.end - tile.start;
    if (block.streams) {
      this.#forEachStreamed(this.#values, tile, value32, valueStride, (rows, before, count) => {
        if (this.#isGuarded(rows, count)) return this.#addGuarded(tile, rows, before, count);
        const { data, base, stride: next } = rows;
        for (let r = tile.from; r < tile.to; r++) {
          const at = r * stride + before;
          const to = r * valueStride;
          streamValues(scores, at, data, base, next, count, valueDim, output, to);
        }
      });
      return;
    }
    this.#values.packRows(value, valueStride, block.sequence, block.keyHead, tile);
    const rows = { data: value, base: 0, stride: valueStride };
    const { from, to } = tile;
    if (this.#isGuarded(rows, keys)) this.#addGuarded(tile, rows, 0, keys);
    else if (rowProducts) {
      rowProducts.values(scores, value, output, from, to, keys, valueStride, stride);
    } else tileValues(scores, value, output, from, to, keys, valueStride, stride);
  }

  /** Whether a row of the tile hides a key, and a value is not finite. */
  #isGuarded({ data, base, stride }: TileRows<Packed>, keys: number): boolean {
    const { space, problem } = this.#block;
    if (!space.statistics.hidden) return false;
    return !allFinite(data, base, stride, keys, problem.valueDim);
  }

  /** Adds values that are not finite to the rows that see them only. */
  #addGuarded(tile: Tile, rows: TileRows<Packed>, before: number, keys: number): void {
    const block = this.#block;
    const { scores, output } = block.space;
    const { data, base, stride } = rows;
    const { valueDim } = block.problem;
    const { keyStride, valueStride } = block.plan;
    for (let r = tile.from; r < tile.to; r++) {
      const at = block.rowStart(r, keyStride) + before * block.step;
      const to = r * valueStride;
      guardedValues(scores, at, block.step, data, base, stride, keys, valueDim, output, to);
    }
  }

  /** Visits a tile where it lies, run by run, if its rows are dense float32; packed as a whole otherwise. */
  #forEachStreamed(
    source: StoredRows,
    tile: KeyRange,
    packed: Float32Array,
    stride: number,
    visit: (rows: TileRows<Float32Array>, before: number, keys: number) => void,
  ): void {
    const { sequence, keyHead } = this.#block;
    if (source.areDense) {
      source.forEachRun(sequence, keyHead, tile, visit);
      return;
    }
    source.packRows(packed, stride, sequence, keyHead, tile);
    visit({ data: packed, base: 0, stride }, 0, tile.end - tile.start);
  }
}
