import type { VisibleBand } from "@heed/core";
import type { Block, Tile } from "./block.js";
import {
  addAlibi,
  addAlibiAt,
  addBias,
  capRow,
  hideByBias,
  hideMasked,
  hideOutsideBand,
  hideOutsideBandAt,
  type LogitsRow,
} from "./logits.js";
import type { TilePrograms } from "./programs.js";
import type { Results } from "./results.js";

/** Turns a tile's dot products into logits: steps 2 to 4 of the semantics. */
export class LogitsOfTile {
  readonly #block: Block;
  readonly #band: VisibleBand;
  readonly #results: Results;
  readonly #exact: boolean;

  /** @param results get the scores that are wanted */
  constructor(block: Block, band: VisibleBand, results: Results) {
    this.#block = block;
    this.#band = band;
    this.#results = results;
    this.#exact = block.problem.dtype === "float64";
  }

  /** Finishes a panel's rows `first ≤ r < end`. */
  finishPanel(first: number, end: number, tile: Tile, programs: TilePrograms | null): void {
    const block = this.#block;
    const { scores } = block.space;
    const at = block.rowStart(first, block.plan.keyStride);
    // Rows whose bias hides keys, as bits.
    let biasHides = 0;
    for (let r = first; r < end; r++) {
      if (this.#change(r, block.logitsRow(r, tile), tile)) biasHides |= 1 << (r - first);
    }
    programs?.changeScores(first, scores, at);
    for (let r = first; r < end; r++) {
      this.#hide(r, block.logitsRow(r, tile), tile, ((biasHides >> (r - first)) & 1) !== 0);
    }
    programs?.hide(first, scores, at);
    if (!block.problem.returns.weights) return;
    for (let r = first; r < end; r++) this.#results.keepLogits(r, block.logitsRow(r, tile), tile);
  }

  /**
   * Steps 2 and 3 on a row, but for the score program.
   *
   * @returns whether the bias hides a key
   */
  #change(r: number, row: LogitsRow, tile: Tile): boolean {
    const block = this.#block;
    const { softcap, returns } = block.problem;
    const { bias, alibiSlopes } = block.inputs;
    if (returns.scores === "raw") this.#results.storeScores(r, row, tile);
    if (softcap !== null) capRow(row, softcap, this.#exact);
    if (returns.scores === "capped") this.#results.storeScores(r, row, tile);
    const hides = bias ? addBias(row, bias, block.elementOf(bias, r, tile)) : false;
    if (alibiSlopes) {
      const { head, position } = block.space.rows;
      const { keyPositions } = block.sequence;
      const slope = alibiSlopes[head[r] as number] as number;
      const at = position[r] as number;
      if (keyPositions) addAlibiAt(row, slope, at, keyPositions, tile.start);
      else addAlibi(row, slope, at, tile.start);
    }
    return hides;
  }

  /** Step 4 on a row, but for the mask program and the block mask. */
  #hide(r: number, row: LogitsRow, tile: Tile, biasHides: boolean): void {
    const block = this.#block;
    const { mask, bias } = block.inputs;
    if (block.problem.returns.scores === "biased") this.#results.storeScores(r, row, tile);
    if (bias && biasHides) hideByBias(row, bias, block.elementOf(bias, r, tile));
    if (!tile.full) {
      const position = block.space.rows.position[r] as number;
      const { keyPositions } = block.sequence;
      if (keyPositions) hideOutsideBandAt(row, tile, this.#band, position, keyPositions);
      else hideOutsideBand(row, tile, this.#band, position);
    }
    if (mask) hideMasked(row, mask, block.elementOf(mask, r, tile));
  }
}
