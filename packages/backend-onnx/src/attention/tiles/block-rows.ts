import type { TileProgram } from "@heed/core/program";

/** Rows of a panel of a {@link TileProgram}. */
export const lanes = 3;

/** The properties of the queries of a block that programs read. */
export class BlockRows {
  readonly #count: number;
  readonly #head: Int32Array;
  readonly #position: Int32Array;
  readonly #index: Int32Array;

  /** @param count queries of a block */
  constructor(count: number) {
    this.#count = count;
    this.#head = new Int32Array(count);
    this.#position = new Int32Array(count);
    this.#index = new Int32Array(count);
  }

  /**
   * Sets the rows of a program.
   *
   * @param first index of the block's first query
   * @param offset position of the first query of the batch entry
   */
  give(program: TileProgram, head: number, first: number, offset: number): void {
    this.#head.fill(head);
    for (let r = 0; r < this.#count; r++) {
      this.#index[r] = first + r;
      this.#position[r] = first + r + offset;
    }
    const rows = { head: this.#head, position: this.#position, index: this.#index };
    program.setRows(this.#count, rows);
  }
}
