import {
  type AttentionOutputs,
  type AttentionProblem,
  type BoundInputs,
  type HostTensor,
  type KeyRange,
  positionRange,
  rowsSeeing,
  tileVisibility,
  type VisibleBand,
  visibleBand,
  type WorkItem,
  WorkList,
} from "@heed/core";
import { Block, panelStart, type Tile } from "./block.js";
import { softmaxStep } from "./kernels/softmax.js";
import { panelRows } from "./kernels/tile.js";
import type { JsPlan } from "./plan.js";
import { TileProducts } from "./products.js";
import { TilePrograms } from "./programs.js";
import { Results } from "./results.js";
import { LogitsOfTile } from "./tile-logits.js";
import type { Workspace } from "./workspace.js";

/**
 * FlashAttention's forward pass (Dao et al., 2022, arXiv:2205.14135) on one core: for each block of
 * query rows, one pass over the tiles of keys that the block can see, with an online softmax. All
 * arithmetic is float64, whatever the inputs' dtype: JavaScript has no other, and narrowing costs.
 *
 * The query heads of a group are stacked, query by query, so that a tile of keys and values is
 * loaded once for all of them and a block's positions stay close together.
 */
export function forward(
  problem: AttentionProblem,
  bound: BoundInputs,
  plan: JsPlan,
  workspace: Workspace,
): AttentionOutputs<HostTensor> {
  return new ForwardPass(new Block(problem, bound, plan, workspace)).run();
}

class ForwardPass {
  readonly #block: Block;
  readonly #band: VisibleBand;
  readonly #list: WorkList;
  readonly #products: TileProducts;
  readonly #logits: LogitsOfTile;
  readonly #results: Results;
  readonly #exact: boolean;
  /** Whether there is a mask program, a score program or a block mask. */
  readonly #hasPrograms: boolean;
  /** They are made for rows in panels and for streamed rows, when the first block of either comes. */
  readonly #madePrograms: Partial<Record<1 | 3, TilePrograms>> = {};
  /** The current block's; null without any. */
  #programs: TilePrograms | null = null;

  constructor(block: Block) {
    const { problem, inputs, plan } = block;
    this.#block = block;
    this.#band = visibleBand(problem);
    this.#list = new WorkList(plan.grid, inputs);
    this.#products = new TileProducts(block);
    this.#results = new Results(block);
    this.#logits = new LogitsOfTile(block, this.#band, this.#results);
    this.#exact = problem.dtype === "float64";
    const { maskMod, scoreMod, blockMask } = inputs;
    this.#hasPrograms = maskMod !== null || scoreMod !== null || blockMask !== null;
  }

  run(): AttentionOutputs<HostTensor> {
    const list = this.#list;
    for (let index = 0; index < list.items; index++) this.#runBlock(list.item(index));
    return this.#results.outputs;
  }

  #runBlock(item: WorkItem): void {
    const { space, problem } = this.#block;
    space.statistics.weightFactor = 1;
    this.#runTiles(item);
    if (this.#overflowed()) {
      // All weights of a row add up to 1 at most then; a power of 2 changes no bits but of subnormal numbers.
      space.statistics.weightFactor = 2 ** -Math.ceil(Math.log2(problem.keyLength));
      this.#runTiles(item);
    }
    this.#results.storeBlock();
  }

  /** Whether a float64 sum of values is not finite, in a row whose logits are; it is yet to be divided. */
  #overflowed(): boolean {
    if (!this.#exact) return false;
    const { rows, plan, problem, space } = this.#block;
    for (let r = 0; r < rows; r++) {
      if (Number.isNaN(space.statistics.sum[r])) continue;
      const start = r * plan.valueStride;
      for (let c = start; c < start + problem.valueDim; c++) {
        if (!Number.isFinite(space.output[c])) return true;
      }
    }
    return false;
  }

  #runTiles(item: WorkItem): void {
    const block = this.#block;
    const { problem, plan } = block;
    block.start(item);
    this.#results.startBlock();
    const visible = this.#list.keysOf(item, this.#band, block.sequence);
    // Scores are wanted of hidden keys too: then every tile is scored, and only the visible ones
    // take part in the softmax.
    const scored = problem.returns.scores ? { start: 0, end: block.sequence.keyLength } : visible;
    this.#startPrograms();
    const { keys, tileStep } = plan;
    // With a block mask, tiles begin where its blocks do.
    const early = problem.blockMask === null ? 0 : scored.start % keys;
    for (let key = scored.start - early; key < scored.end; ) {
      let end = Math.min(key + keys, scored.end);
      if (tileStep > 0) end = Math.min(end, (Math.floor(key / tileStep) + 1) * tileStep);
      this.#runTile({ start: key, end });
      key = end;
    }
  }

  #startPrograms(): void {
    if (!this.#hasPrograms) return;
    const { problem, inputs, plan, space, step, sequenceNumber, keyHead, rows, sequence } =
      this.#block;
    this.#madePrograms[step] ??= new TilePrograms(problem, inputs, plan, step);
    this.#programs = this.#madePrograms[step];
    this.#programs.startBlock(sequenceNumber, keyHead, space.rows, rows, sequence);
  }

  #runTile(keys: KeyRange): void {
    const block = this.#block;
    const { scores, output, statistics, rows } = block.space;
    const { valueStride, keyStride } = block.plan;
    const positions = block.sequence.tilePositions(keys);
    const { from, to } = this.#rowsOfTile(keys, positions);
    // Programs and positions that are data may leave a tile that none of the rows sees.
    if (to <= from) return;
    let first = rows.position[from] as number;
    let last = rows.position[to - 1] as number;
    if (block.sequence.queryPositions !== null) {
      ({ first, last } = positionRange(rows.position, from, to));
    }
    const full = tileVisibility(this.#band, positions, first, last) === "full";
    const tile: Tile = { ...keys, from, to, full };
    this.#products.score(tile);
    let seen = false;
    statistics.hidden = false;
    const { step } = block;
    for (let panel = from; panel < to; panel += step) {
      const end = Math.min(to, panel + step);
      this.#logits.finishPanel(panel, end, tile, this.#programs);
      for (let r = panel; r < end; r++) {
        const sees = softmaxStep(
          scores,
          block.rowStart(r, keyStride),
          step,
          keys.end - keys.start,
          statistics,
          r,
          output,
          r * valueStride,
          valueStride,
          this.#exact,
        );
        seen = sees || seen;
      }
    }
    if (seen) this.#products.addValues(tile);
  }

  /**
   * The rows that a tile is computed for: those that see any of it, and their panels' other rows,
   * whose weights come out as 0. All of them if hidden scores are wanted too.
   */
  #rowsOfTile(keys: KeyRange, positions: KeyRange): { readonly from: number; readonly to: number } {
    const { problem, rows, space, streams } = this.#block;
    if (problem.returns.scores) {
      this.#programs?.startTile(keys, 0, rows);
      return { from: 0, to: rows };
    }
    let { from, to } = rowsSeeing(this.#band, positions, space.rows.position, rows);
    if (this.#programs) ({ from, to } = this.#programs.startTile(keys, from, to));
    if (streams || from >= to) return { from, to };
    return { from: panelStart(from), to: Math.min(rows, panelStart(to - 1) + panelRows) };
  }
}
