import {
  type AttentionOutputs,
  type AttentionProblem,
  type BoundInputs,
  type HostTensor,
  type KeyRange,
  keysOfItem,
  rowsSeeing,
  statisticsDType,
  tileVisibility,
  type VisibleBand,
  visibleBand,
  type WorkItem,
  workItem,
  writeValues,
  zeros,
} from "@heed/core";
import { type Packed, packRow } from "../tensor/pack.js";
import { expFloat32 } from "./exp.js";
import { allFinite, guardedValues } from "./kernels/guarded.js";
import { softmaxStep } from "./kernels/softmax.js";
import { streamScores, streamValues } from "./kernels/stream.js";
import { panelKeys, panelRows, tileScores, tileValues } from "./kernels/tile.js";
import {
  addAlibi,
  addBias,
  capRow,
  copyRow,
  elementOffset,
  hideByBias,
  hideMasked,
  hideOutsideBand,
  type LogitsRow,
} from "./logits.js";
import type { JsPlan } from "./plan.js";
import { TilePrograms } from "./programs.js";
import type { Workspace } from "./workspace.js";

/** A block's rows `from ≤ r < to` against some keys. */
interface Tile extends KeyRange {
  readonly from: number;
  readonly to: number;
  /** Whether each of the rows sees each of the keys, but for mask and bias. */
  readonly full: boolean;
}

/** The location of a tile's rows: packed in the workspace, or in place in a tensor. */
interface TileRows<D extends Packed> {
  readonly data: D;
  readonly base: number;
  readonly stride: number;
}

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
  return new ForwardPass(problem, bound, plan, workspace).run();
}

class ForwardPass {
  readonly #problem: AttentionProblem;
  readonly #inputs: BoundInputs;
  readonly #plan: JsPlan;
  readonly #space: Workspace;
  readonly #band: VisibleBand;
  readonly #exact: boolean;
  readonly #output: HostTensor;
  readonly #logSumExp: HostTensor | null;
  readonly #weights: HostTensor | null;
  readonly #scores: HostTensor | null;
  /** `[rows, keyLength]` if weights are wanted. Made for a call: a plan that kept it would hold much. */
  readonly #logits: Float64Array;
  /** Mask and score programs and block mask; null without any. */
  readonly #programs: TilePrograms | null;
  /** Rows of the current block, its batch and its key head. */
  #rows = 0;
  #b = 0;
  #g = 0;

  constructor(problem: AttentionProblem, inputs: BoundInputs, plan: JsPlan, space: Workspace) {
    this.#problem = problem;
    this.#inputs = inputs;
    this.#plan = plan;
    this.#space = space;
    this.#band = visibleBand(problem);
    this.#exact = problem.dtype === "float64";
    const { batch, queryHeads, queryLength, keyLength, valueDim, dtype, returns } = problem;
    const rows = [batch, queryHeads, queryLength];
    this.#output = zeros(dtype, [...rows, valueDim]);
    this.#logSumExp = returns.logSumExp ? zeros(statisticsDType(dtype), rows) : null;
    this.#weights = returns.weights ? zeros(dtype, [...rows, keyLength]) : null;
    this.#scores = returns.scores ? zeros(dtype, [...rows, keyLength]) : null;
    this.#logits = new Float64Array(plan.logits);
    const { maskMod, scoreMod, blockMask } = inputs;
    const any = maskMod !== null || scoreMod !== null || blockMask !== null;
    this.#programs = any ? new TilePrograms(problem, inputs, plan) : null;
  }

  run(): AttentionOutputs<HostTensor> {
    const { grid } = this.#plan;
    for (let index = 0; index < grid.items; index++) this.#runBlock(workItem(grid, index));
    return {
      output: this.#output,
      ...(this.#logSumExp && { logSumExp: this.#logSumExp }),
      ...(this.#weights && { weights: this.#weights }),
      ...(this.#scores && { scores: this.#scores }),
    };
  }

  #runBlock(item: WorkItem): void {
    this.#b = item.batch;
    this.#g = item.keyHead;
    this.#rows = item.end - item.start;
    this.#loadBlock(item.start);
    const offset = this.#inputs.offsets[this.#b] as number;
    const length = this.#inputs.kvLengths[this.#b] as number;
    const visible = keysOfItem(this.#plan.grid, item, this.#band, offset, length);
    // Scores are wanted of hidden keys too: then every tile is scored, and only the visible ones
    // take part in the softmax.
    const scored = this.#scores ? { start: 0, end: length } : visible;
    this.#programs?.startBlock(this.#b, this.#g, this.#space.rows);
    const step = this.#plan.keys;
    // With a block mask, tiles begin where its blocks do.
    const early = this.#problem.blockMask === null ? 0 : scored.start % step;
    for (let key = scored.start - early; key < scored.end; key += step) {
      this.#runTile({ start: key, end: Math.min(key + step, scored.end) });
    }
    this.#storeBlock();
  }

  /** Rows are stacked query by query: row = i · group + the head within the group. */
  #loadBlock(start: number): void {
    const { group } = this.#plan.grid;
    const { query, rows, statistics, output } = this.#space;
    const { headDim, scale } = this.#problem;
    const source = this.#inputs.query;
    const offset = this.#inputs.offsets[this.#b] as number;
    for (let r = 0; r < this.#rows; r++) {
      const i = Math.floor((start + r) / group);
      const h = this.#g * group + ((start + r) % group);
      rows.head[r] = h;
      rows.index[r] = i;
      rows.position[r] = i + offset;
      const from = elementOffset(source, this.#b, h, i, 0);
      const at = this.#rowStart(r, headDim);
      packRow(query, at, this.#step, source, from, source.strides[3] as number, headDim);
    }
    // The scale goes into the query once instead of into every score.
    for (let c = 0; c < query.length; c++) (query[c] as number) *= scale;
    statistics.max.fill(Number.NEGATIVE_INFINITY);
    statistics.sum.fill(0);
    output.fill(0);
    this.#logits.fill(Number.NEGATIVE_INFINITY);
  }

  #runTile(keys: KeyRange): void {
    const { scores, output, statistics, rows } = this.#space;
    const { valueStride } = this.#plan;
    const { from, to } = this.#rowsOfTile(keys);
    if (from >= to) return;
    const first = rows.position[from] as number;
    const last = rows.position[to - 1] as number;
    const full = tileVisibility(this.#band, keys, first, last) === "full";
    const tile = { ...keys, from, to, full };
    this.#scoreTile(tile);
    let seen = false;
    statistics.hidden = false;
    for (let r = from; r < to; r++) {
      const row = this.#logitsRow(r, tile);
      this.#finishLogits(r, row, tile);
      const sees = softmaxStep(
        scores,
        row.at,
        row.step,
        row.keys,
        statistics,
        r,
        output,
        r * valueStride,
        valueStride,
        this.#exact,
      );
      seen = sees || seen;
    }
    if (seen) this.#addValues(tile);
  }

  /**
   * The rows that a tile is computed for: those that see any of it, and their panels' other rows,
   * whose weights come out as 0. All of them if hidden scores are wanted too.
   */
  #rowsOfTile(keys: KeyRange): { readonly from: number; readonly to: number } {
    if (this.#scores) {
      this.#programs?.startTile(keys, 0, this.#rows);
      return { from: 0, to: this.#rows };
    }
    let { from, to } = rowsSeeing(this.#band, keys, this.#space.rows.position, this.#rows);
    if (this.#programs) ({ from, to } = this.#programs.startTile(keys, from, to));
    if (this.#plan.kernel === "stream" || from >= to) return { from, to };
    return { from: panelStart(from), to: Math.min(this.#rows, panelStart(to - 1) + panelRows) };
  }

  /** Step 1 of the semantics: the scaled dot products of the block's rows with a tile's keys. */
  #scoreTile(tile: Tile): void {
    const { keyStride: stride, kernel } = this.#plan;
    const { scores, query, key } = this.#space;
    const { headDim } = this.#problem;
    const keys = tile.end - tile.start;
    if (kernel === "stream") {
      const source = this.#rowsInPlace(this.#inputs.key, tile, this.#space.key32, headDim);
      const { data, base } = source;
      for (let r = tile.from; r < tile.to; r++) {
        streamScores(query, r, data, base, source.stride, keys, headDim, scores, r * stride);
      }
      return;
    }
    const source = this.#inputs.key;
    const columnStride = source.strides[3] as number;
    for (let j = 0; j < keys; j++) {
      const at = Math.floor(j / panelKeys) * panelKeys * headDim + (j % panelKeys);
      const from = elementOffset(source, this.#b, this.#g, tile.start + j, 0);
      packRow(key, at, panelKeys, source, from, columnStride, headDim);
    }
    const paddedKeys = Math.ceil(keys / panelKeys) * panelKeys;
    tileScores(query, key, scores, tile.from, tile.to, paddedKeys, headDim, stride);
  }

  /** Steps 2 to 4 of the semantics on a row of a tile; keeps the scores that are wanted. */
  #finishLogits(r: number, row: LogitsRow, tile: Tile): void {
    const { softcap, returns, keyLength } = this.#problem;
    const { mask, bias, alibiSlopes } = this.#inputs;
    const { rows } = this.#space;
    const h = rows.head[r] as number;
    const i = rows.index[r] as number;
    const position = rows.position[r] as number;
    if (returns.scores === "raw") this.#storeScores(r, row, tile);
    if (softcap !== null) capRow(row, softcap);
    if (returns.scores === "capped") this.#storeScores(r, row, tile);
    const biasStart = bias ? elementOffset(bias, this.#b, h, i, tile.start) : 0;
    const biasHides = bias ? addBias(row, bias, biasStart) : false;
    if (alibiSlopes) addAlibi(row, alibiSlopes[h] as number, position, tile.start);
    this.#programs?.changeScores(r, row);
    if (returns.scores === "biased") this.#storeScores(r, row, tile);
    if (bias && biasHides) hideByBias(row, bias, biasStart);
    if (!tile.full) hideOutsideBand(row, tile, this.#band, position);
    if (mask) hideMasked(row, mask, elementOffset(mask, this.#b, h, i, tile.start));
    this.#programs?.hide(r, row);
    if (returns.weights) copyRow(row, this.#logits, r * keyLength + tile.start);
  }

  #storeScores(r: number, row: LogitsRow, tile: KeyRange): void {
    const wanted = this.#scores as HostTensor;
    copyRow(row, this.#space.row, 0);
    const values = this.#space.row.subarray(0, row.keys);
    const to = this.#outputRow(r) * this.#problem.keyLength + tile.start;
    writeValues(values, wanted.data, to, wanted.dtype);
  }

  /** Step 6 of the semantics, over a tile: adds the values by their weights. */
  #addValues(tile: Tile): void {
    const { keyStride: stride, valueStride, kernel } = this.#plan;
    const { scores, output, statistics } = this.#space;
    const { valueDim } = this.#problem;
    const keys = tile.end - tile.start;
    const stream = kernel === "stream";
    const source = this.#inputs.value;
    const value: TileRows<Packed> = stream
      ? this.#rowsInPlace(source, tile, this.#space.value32, valueStride)
      : this.#packTile(this.#space.value, valueStride, source, tile, valueDim);
    const { data, base } = value;
    if (statistics.hidden && !allFinite(data, base, value.stride, keys, valueDim)) {
      for (let r = tile.from; r < tile.to; r++) {
        const at = this.#rowStart(r, stride);
        const to = r * valueStride;
        guardedValues(scores, at, this.#step, data, base, value.stride, keys, valueDim, output, to);
      }
    } else if (stream) {
      const rows = data as Float32Array;
      for (let r = tile.from; r < tile.to; r++) {
        const to = r * valueStride;
        streamValues(scores, r * stride, rows, base, value.stride, keys, valueDim, output, to);
      }
    } else {
      const rows = data as number[];
      tileValues(scores, rows, output, tile.from, tile.to, keys, valueStride, stride);
    }
  }

  /** A tile of keys or values where it lies, if that is dense float32; packed otherwise. */
  #rowsInPlace(
    source: HostTensor,
    tile: KeyRange,
    packed: Float32Array,
    stride: number,
  ): TileRows<Float32Array> {
    if (source.dtype === "float32" && source.strides[3] === 1) {
      const base = elementOffset(source, this.#b, this.#g, tile.start, 0);
      return { data: source.data as Float32Array, base, stride: source.strides[2] as number };
    }
    return this.#packTile(packed, stride, source, tile, source.shape[3] as number);
  }

  /** A tile of keys or values, row after row; columns past `size` stay 0. */
  #packTile<D extends Packed>(
    to: D,
    stride: number,
    source: HostTensor,
    tile: KeyRange,
    size: number,
  ): TileRows<D> {
    const columnStride = source.strides[3] as number;
    for (let j = tile.start, at = 0; j < tile.end; j++, at += stride) {
      const from = elementOffset(source, this.#b, this.#g, j, 0);
      packRow(to, at, 1, source, from, columnStride, size);
    }
    return { data: to, base: 0, stride };
  }

  /** Steps 5 and 6: the sink joins, rows are divided by their sums and stored. */
  #storeBlock(): void {
    const { valueStride } = this.#plan;
    const { statistics, output, rows } = this.#space;
    const { valueDim } = this.#problem;
    const { sinks } = this.#inputs;
    for (let r = 0; r < this.#rows; r++) {
      const row = this.#outputRow(r);
      const seen = statistics.max[r] as number;
      const sink = sinks ? (sinks[rows.head[r] as number] as number) : Number.NEGATIVE_INFINITY;
      const max = Math.max(seen, sink);
      if (Number.isNaN(statistics.sum[r])) {
        this.#storeNaN(r, row);
        continue;
      }
      if (max === Number.NEGATIVE_INFINITY) {
        if (this.#logSumExp) this.#logSumExp.data[row] = max;
        continue;
      }
      // seen = −∞ gives a factor of 0, and an output of 0.
      const factor = Math.exp(seen - max);
      const denominator = (statistics.sum[r] as number) * factor + Math.exp(sink - max);
      if (this.#logSumExp) this.#logSumExp.data[row] = max + Math.log(denominator);
      if (seen === Number.NEGATIVE_INFINITY) continue;
      const from = r * valueStride;
      const values = this.#space.row.subarray(0, valueDim);
      for (let c = 0; c < valueDim; c++) {
        values[c] = ((output[from + c] as number) * factor) / denominator;
      }
      writeValues(values, this.#output.data, row * valueDim, this.#output.dtype);
      if (this.#weights) this.#storeWeights(r, max, denominator, this.#weights);
    }
  }

  /** A row that sees a logit of NaN or +∞. */
  #storeNaN(r: number, row: number): void {
    const { valueDim } = this.#problem;
    const values = this.#space.row.fill(Number.NaN, 0, valueDim).subarray(0, valueDim);
    writeValues(values, this.#output.data, row * valueDim, this.#output.dtype);
    if (this.#logSumExp) this.#logSumExp.data[row] = Number.NaN;
    if (this.#weights) this.#storeWeights(r, Number.NaN, Number.NaN, this.#weights);
  }

  #storeWeights(r: number, max: number, denominator: number, weights: HostTensor): void {
    const { keyLength } = this.#problem;
    const row = this.#logits.subarray(r * keyLength, (r + 1) * keyLength);
    for (let j = 0; j < keyLength; j++) {
      const s = row[j] as number;
      const visible = s !== Number.NEGATIVE_INFINITY;
      row[j] = visible ? (this.#exact ? Math.exp(s - max) : expFloat32(s - max)) / denominator : 0;
    }
    writeValues(row, weights.data, this.#outputRow(r) * keyLength, weights.dtype);
  }

  /** Distance from one element of a row to the next: in panels of rows (tiled), or in plain rows. */
  get #step(): number {
    return this.#plan.kernel === "tiled" ? panelRows : 1;
  }

  /** Index of a row's first element among rows of `size` elements, in panels or in plain rows. */
  #rowStart(r: number, size: number): number {
    if (this.#plan.kernel === "stream") return r * size;
    return panelStart(r) * size + (r % panelRows);
  }

  #logitsRow(r: number, tile: KeyRange): LogitsRow {
    return {
      data: this.#space.scores,
      at: this.#rowStart(r, this.#plan.keyStride),
      step: this.#step,
      keys: tile.end - tile.start,
    };
  }

  /** A block's row in the outputs' `[batch, queryHeads, queryLength]`. */
  #outputRow(r: number): number {
    const { queryHeads, queryLength } = this.#problem;
    const { head, index } = this.#space.rows;
    return (this.#b * queryHeads + (head[r] as number)) * queryLength + (index[r] as number);
  }
}

/** The first row of the panel that a row is in. */
function panelStart(r: number): number {
  return Math.floor(r / panelRows) * panelRows;
}
