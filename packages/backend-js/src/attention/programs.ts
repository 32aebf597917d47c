import type { AttentionProblem, BoundInputs, KeyRange, Sequence } from "@heed/core";
import { type Doubles, ProgramBoxes, ProgramIntervals, TileProgram } from "@heed/core/program";
import { HiddenKeys } from "./hidden-keys.js";
import { panelRows } from "./kernels/tile.js";
import type { JsPlan } from "./plan.js";
import type { BlockRows } from "./workspace.js";

/**
 * Rows that are looked at together: whole panels, few enough for the diagonal of a causal mask, many enough to cost
 * nothing.
 */
const bandRows = 11 * panelRows;

/** A tile is hidden from a band of rows as a whole; or the mask program, if there is one, or the block mask, is to be asked. */
const hidden = 1;
const asksProgram = 2;
const asksBlocks = 4;

/**
 * The mask program, the score program and the block mask of a call, for one tile of keys after another. What
 * intervals or the block mask say of a band of rows is not computed row by row.
 */
export class TilePrograms {
  readonly #problem: AttentionProblem;
  readonly #inputs: BoundInputs;
  readonly #group: number;
  readonly #lanes: 1 | 3;
  readonly #mask: TileProgram | null;
  readonly #hiddenKeys: HiddenKeys | null;
  readonly #score: TileProgram | null;
  readonly #intervals: ProgramIntervals | null;
  readonly #kinds: Uint8Array;
  readonly #boxes = new ProgramBoxes();
  #batch = -1;
  #rows: BlockRows | null = null;
  #count = 0;
  #sequence: Sequence | null = null;
  #tile: KeyRange = { start: 0, end: 0 };
  /** Whether a program's keys are those of the tile. */
  #maskHasKeys = false;
  #scoreHasKeys = false;

  /** @param lanes rows of a panel: of those that are streamed, which has one, or of the others */
  constructor(problem: AttentionProblem, inputs: BoundInputs, plan: JsPlan, lanes: 1 | 3) {
    const { maskMod, scoreMod, blockMask } = inputs;
    this.#problem = problem;
    this.#inputs = inputs;
    this.#group = plan.grid.group;
    const { queryPositions, keyPositions } = inputs;
    const ascending = queryPositions === null && keyPositions === null;
    const { keys, grid } = plan;
    const queries = ascending ? Math.ceil(grid.rows / grid.group) : 0;
    const sizes = { keys, rows: grid.rows, lanes, ascending: queries };
    this.#lanes = lanes;
    this.#mask = maskMod && new TileProgram(maskMod, sizes);
    this.#hiddenKeys = this.#mask && new HiddenKeys(this.#mask, keys, grid.rows, lanes);
    this.#score =
      scoreMod && new TileProgram(scoreMod, { ...sizes, exact: problem.dtype === "float64" });
    this.#intervals = maskMod && !blockMask?.skipsProgram ? new ProgramIntervals(maskMod) : null;
    this.#kinds = new Uint8Array(Math.ceil(plan.grid.rows / bandRows));
  }

  /**
   * Starts a block of rows of one key head.
   *
   * @param batch number of the sequence, which programs call the batch entry
   * @param count how many rows there are
   */
  startBlock(
    batch: number,
    keyHead: number,
    rows: BlockRows,
    count: number,
    sequence: Sequence,
  ): void {
    this.#rows = rows;
    this.#count = count;
    this.#sequence = sequence;
    this.#boxes.setHeads(keyHead * this.#group, (keyHead + 1) * this.#group);
    if (batch !== this.#batch) {
      this.#batch = batch;
      this.#boxes.setBatch(batch, sequence);
      this.#mask?.setBatch(batch);
      this.#score?.setBatch(batch);
    }
    const { head, position, index } = rows;
    const own = { head, position, index, firstIndex: sequence.queryStart };
    this.#mask?.setRows(count, own);
    this.#score?.setRows(count, own);
  }

  /**
   * Starts a tile of keys.
   *
   * @returns the rows among `from ≤ r < to` that may see any of it, to whole bands
   */
  startTile(
    tile: KeyRange,
    from: number,
    to: number,
  ): { readonly from: number; readonly to: number } {
    this.#tile = tile;
    this.#maskHasKeys = false;
    this.#scoreHasKeys = false;
    let first = to;
    let end = from;
    for (let band = Math.floor(from / bandRows); band * bandRows < to; band++) {
      const start = Math.max(from, band * bandRows);
      const stop = Math.min(to, (band + 1) * bandRows);
      const kind = this.#kindOfBand(tile, start, stop);
      this.#kinds[band] = kind;
      if (kind === hidden) continue;
      first = Math.min(first, start);
      end = stop;
    }
    return { from: first, to: Math.max(first, end) };
  }

  /**
   * The score program on a panel of the tile.
   *
   * @param r its first row
   * @param at where its scores begin
   */
  changeScores(r: number, scores: Doubles, at: number): void {
    const program = this.#score;
    if (program === null) return;
    if (!this.#scoreHasKeys) {
      this.#setKeys(program);
      this.#scoreHasKeys = true;
    }
    program.changeScores(r, scores, at);
  }

  /** −∞ for the keys that the block mask and the mask program hide from the rows of a panel. */
  hide(r: number, scores: Doubles, at: number): void {
    const kind = this.#kinds[Math.floor(r / bandRows)] as number;
    if (kind === 0) return;
    const keys = this.#tile.end - this.#tile.start;
    if (kind === hidden) {
      scores.fill(Number.NEGATIVE_INFINITY, at, at + keys * this.#lanes);
      return;
    }
    const rows = Math.min(this.#count - r, this.#lanes);
    if (kind & asksBlocks) {
      for (let lane = 0; lane < rows; lane++) this.#hideBlocks(r + lane, scores, at + lane);
    }
    if (!(kind & asksProgram)) return;
    const mask = this.#mask as TileProgram;
    const hiddenKeys = this.#hiddenKeys as HiddenKeys;
    if (!this.#maskHasKeys) {
      this.#setKeys(mask);
      hiddenKeys.startTile(keys);
      this.#maskHasKeys = true;
    }
    hiddenKeys.hide(r, rows, scores, at);
  }

  #setKeys(program: TileProgram): void {
    const { start, end } = this.#tile;
    program.setKeys(start, end - start, this.#sequence?.keyPositions);
  }

  #hideBlocks(r: number, scores: Doubles, at: number): void {
    const { blocks } = this.#inputs.blockMask as NonNullable<BoundInputs["blockMask"]>;
    const { head } = this.#rows as BlockRows;
    const query = Math.floor(this.#queryOf(r) / blocks.queryBlock);
    const { start, end } = this.#tile;
    const step = this.#lanes;
    for (let j = start; j < end; ) {
      const block = Math.floor(j / blocks.keyBlock);
      const next = Math.min(end, (block + 1) * blocks.keyBlock);
      if (blocks.kind(this.#batch, head[r] as number, query, block) === "empty") {
        const last = at + (next - start) * step;
        for (let s = at + (j - start) * step; s < last; s += step) {
          scores[s] = Number.NEGATIVE_INFINITY;
        }
      }
      j = next;
    }
  }

  #kindOfBand(tile: KeyRange, from: number, to: number): number {
    let kind = this.#mask ? asksProgram : 0;
    const { blockMask } = this.#inputs;
    if (blockMask) {
      const seen = this.#blocksOfBand(tile, from, to);
      if (seen.most === 0) return hidden;
      if (seen.least === 0) kind |= asksBlocks;
      if (seen.least === 2 && blockMask.skipsProgram) kind &= ~asksProgram;
    }
    if (this.#intervals && kind & asksProgram) {
      const visibility = this.#visibilityOf(this.#intervals, tile, from, to);
      if (visibility === "empty") return hidden;
      if (visibility === "full") kind &= ~asksProgram;
    }
    return kind;
  }

  #visibilityOf(intervals: ProgramIntervals, tile: KeyRange, from: number, to: number) {
    const boxes = this.#boxes;
    boxes.setQueries(this.#queryOf(from), this.#queryOf(to - 1) + 1);
    boxes.setKeys(tile.start, tile.end);
    return intervals.visibility(boxes.box);
  }

  /** The query of a row, counted within its sequence. */
  #queryOf(r: number): number {
    const { index } = this.#rows as BlockRows;
    return (index[r] as number) - (this.#sequence as Sequence).queryStart;
  }

  /** The least and the most that the blocks under a band see: 0 nothing, 1 something, 2 everything. */
  #blocksOfBand(
    tile: KeyRange,
    from: number,
    to: number,
  ): { readonly least: number; readonly most: number } {
    const { blocks } = this.#inputs.blockMask as NonNullable<BoundInputs["blockMask"]>;
    const { head } = this.#boxes.box;
    const perHead = (this.#problem.blockMask?.shape[1] ?? 1) > 1;
    const lastHead = perHead ? head.hi : head.lo;
    const firstQuery = Math.floor(this.#queryOf(from) / blocks.queryBlock);
    const lastQuery = Math.floor(this.#queryOf(to - 1) / blocks.queryBlock);
    const firstKey = Math.floor(tile.start / blocks.keyBlock);
    const lastKey = Math.floor((tile.end - 1) / blocks.keyBlock);
    let least = 2;
    let most = 0;
    for (let h = head.lo; h <= lastHead; h++) {
      for (let q = firstQuery; q <= lastQuery; q++) {
        for (let k = firstKey; k <= lastKey; k++) {
          const kind = blocks.kind(this.#batch, h, q, k);
          const sees = kind === "empty" ? 0 : kind === "full" ? 2 : 1;
          least = Math.min(least, sees);
          most = Math.max(most, sees);
        }
      }
    }
    return { least, most };
  }
}
