import type { HostTensor, KeyRange, Sequence } from "@heed/core";
import { type Packed, packRow, packScaledRow } from "../tensor/pack.js";
import { elementOffset } from "./logits.js";

/** The location of a tile's rows: packed in a buffer, or in place in a tensor. */
export interface TileRows<D extends Packed> {
  readonly data: D;
  readonly base: number;
  readonly stride: number;
}

/** The keys or the values of a call, wherever they are stored: a tile of one key head at a time. */
export class StoredRows {
  /** Elements of a row. */
  readonly size: number;
  readonly #tensor: HostTensor;
  readonly #scales: HostTensor | null;

  /** @param scales one for each row, of int8; null for other dtypes */
  constructor(tensor: HostTensor, scales: HostTensor | null) {
    this.#tensor = tensor;
    this.#scales = scales;
    this.size = tensor.shape[3] as number;
  }

  /** Whether rows are dense float32, so that a kernel can read them where they lie. */
  get areDense(): boolean {
    return this.#tensor.dtype === "float32" && this.#tensor.strides[3] === 1;
  }

  /**
   * Visits a tile of dense float32 rows where it lies, run by run: a page of them, or all.
   *
   * @param visit gets how many keys of the tile come before the run, and how many are in it
   */
  forEachRun(
    sequence: Sequence,
    head: number,
    tile: KeyRange,
    visit: (rows: TileRows<Float32Array>, before: number, keys: number) => void,
  ): void {
    const t = this.#tensor;
    const data = t.data as Float32Array;
    const stride = t.strides[2] as number;
    sequence.forEachRun(tile.start, tile.end, (j, entry, row, rows) => {
      visit({ data, base: elementOffset(t, entry, head, row, 0), stride }, j - tile.start, rows);
    });
  }

  /** Packs a tile row after row, `stride` apart; columns past the row's size are left as they are. */
  packRows(to: Packed, stride: number, sequence: Sequence, head: number, tile: KeyRange): void {
    sequence.forEachRun(tile.start, tile.end, (j, entry, row, rows) => {
      const at = (j - tile.start) * stride;
      for (let r = 0; r < rows; r++) this.#packRow(to, at + r * stride, 1, entry, head, row + r);
    });
  }

  /** Packs a tile in panels of `panel` keys, `[keys/panel, size, panel]`. */
  packPanels(to: Packed, panel: number, sequence: Sequence, head: number, tile: KeyRange): void {
    const { size } = this;
    sequence.forEachRun(tile.start, tile.end, (first, entry, row, rows) => {
      for (let r = 0; r < rows; r++) {
        const j = first - tile.start + r;
        const at = Math.floor(j / panel) * panel * size + (j % panel);
        this.#packRow(to, at, panel, entry, head, row + r);
      }
    });
  }

  #packRow(to: Packed, at: number, step: number, entry: number, head: number, row: number): void {
    const t = this.#tensor;
    const start = elementOffset(t, entry, head, row, 0);
    const stride = t.strides[3] as number;
    const scales = this.#scales;
    if (scales === null) {
      packRow(to, at, step, t, start, stride, this.size);
      return;
    }
    const { offset, strides } = scales;
    const scale = scales.data[
      offset +
        entry * (strides[0] as number) +
        head * (strides[1] as number) +
        row * (strides[2] as number)
    ] as number;
    packScaledRow(to, at, step, t.data as Int8Array, start, stride, this.size, scale);
  }
}
