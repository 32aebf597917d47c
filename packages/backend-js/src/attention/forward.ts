import {
  type AttentionOutputs,
  type AttentionProblem,
  type BoundInputs,
  type HostTensor,
  type KeyRange,
  positionRange,
  rowsSeeing,
  Sequence,
  statisticsDType,
  tileVisibility,
  type VisibleBand,
  visibleBand,
  type WorkItem,
  WorkList,
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
  addAlibiAt,
  addBias,
  capRow,
  copyRow,
  elementOffset,
  hideByBias,
  hideMasked,
  hideOutsideBand,
  hideOutsideBandAt,
  type LogitsRow,
} from "./logits.js";
import { type JsPlan, streamRows } from "./plan.js";
import { TilePrograms } from "./programs.js";
import { StoredRows, type TileRows } from "./stored-rows.js";
import type { Workspace } from "./workspace.js";

/** A block's rows `from ≤ r < to` against some keys. */
interface Tile extends KeyRange {
  readonly from: number;
  readonly to: number;
  /** Whether each of the rows sees each of the keys, but for mask and bias. */
  readonly full: boolean;
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
  /** Whether there is a mask program, a score program or a block mask. */
  readonly #hasPrograms: boolean;
  /** They are made for rows in panels and for streamed rows, when the first block of either comes. */
  readonly #madePrograms: Partial<Record<1 | 3, TilePrograms>> = {};
  /** The current block's; null without any. */
  #programs: TilePrograms | null = null;
  readonly #keys: StoredRows;
  readonly #values: StoredRows;
  readonly #list: WorkList;
  /** Number of the current block's sequence, and the sequence. */
  #s = 0;
  #sequence: Sequence;
  /** Rows of the current block, its entry of query and output, and its key head. */
  #rows = 0;
  #b = 0;
  #g = 0;
  /** Whether the current block's keys and values are streamed. */
  #streams: boolean;

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
    this.#hasPrograms = maskMod !== null || scoreMod !== null || blockMask !== null;
    this.#keys = new StoredRows(inputs.key, inputs.keyScales);
    this.#values = new StoredRows(inputs.value, inputs.valueScales);
    this.#list = new WorkList(plan.grid, inputs);
    this.#streams = plan.kernel === "stream";
    this.#sequence = new Sequence(problem, inputs, 0);
  }

  run(): AttentionOutputs<HostTensor> {
    const list = this.#list;
    for (let index = 0; index < list.items; index++) this.#runBlock(list.item(index));
    return {
      output: this.#output,
      ...(this.#logSumExp && { logSumExp: this.#logSumExp }),
      ...(this.#weights && { weights: this.#weights }),
      ...(this.#scores && { scores: this.#scores }),
    };
  }

  #runBlock(item: WorkItem): void {
    if (item.sequence !== this.#s) {
      this.#s = item.sequence;
      this.#sequence = new Sequence(this.#problem, this.#inputs, item.sequence);
    }
    this.#b = item.batch;
    this.#g = item.keyHead;
    this.#rows = item.end - item.start;
    const { kernel, mayStream } = this.#plan;
    this.#streams = kernel === "stream" || (mayStream && this.#rows <= streamRows);
    this.#loadBlock(item.start);
    const visible = this.#list.keysOf(item, this.#band, this.#sequence);
    // Scores are wanted of hidden keys too: then every tile is scored, and only the visible ones
    // take part in the softmax.
    const scored = this.#scores ? { start: 0, end: this.#sequence.keyLength } : visible;
    this.#startPrograms(item.sequence);
    const { keys, tileStep } = this.#plan;
    // With a block mask, tiles begin where its blocks do.
    const early = this.#problem.blockMask === null ? 0 : scored.start % keys;
    for (let key = scored.start - early; key < scored.end; ) {
      let end = Math.min(key + keys, scored.end);
      if (tileStep > 0) end = Math.min(end, (Math.floor(key / tileStep) + 1) * tileStep);
      this.#runTile({ start: key, end });
      key = end;
    }
    this.#storeBlock();
  }

  #startPrograms(sequence: number): void {
    if (!this.#hasPrograms) return;
    const lanes = this.#step;
    this.#madePrograms[lanes] ??= new TilePrograms(this.#problem, this.#inputs, this.#plan, lanes);
    this.#programs = this.#madePrograms[lanes];
    this.#programs.startBlock(sequence, this.#g, this.#space.rows, this.#rows, this.#sequence);
  }

  /** Rows are stacked query by query: row = i · group + the head within the group. */
  #loadBlock(start: number): void {
    const { group } = this.#plan.grid;
    const { query, rows, statistics, output } = this.#space;
    const { headDim, scale } = this.#problem;
    const source = this.#inputs.query;
    const { queryStart, queryPositions, offset } = this.#sequence;
    for (let r = 0; r < this.#rows; r++) {
      const i = Math.floor((start + r) / group);
      const h = this.#g * group + ((start + r) % group);
      rows.head[r] = h;
      rows.index[r] = queryStart + i;
      rows.position[r] = queryPositions ? (queryPositions[i] as number) : i + offset;
      const from = elementOffset(source, this.#b, h, queryStart + i, 0);
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
    const positions = this.#sequence.tilePositions(keys);
    const { from, to } = this.#rowsOfTile(keys, positions);
    // Programs and positions that are data may leave a tile that none of the rows sees.
    if (to <= from) return;
    let first = rows.position[from] as number;
    let last = rows.position[to - 1] as number;
    if (this.#sequence.queryPositions !== null) {
      ({ first, last } = positionRange(rows.position, from, to));
    }
    const full = tileVisibility(this.#band, positions, first, last) === "full";
    const tile = { ...keys, from, to, full };
    this.#scoreTile(tile);
    let seen = false;
    statistics.hidden = false;
    for (let panel = from; panel < to; panel += this.#step) {
      const end = Math.min(to, panel + this.#step);
      this.#finishPanel(panel, end, tile);
      for (let r = panel; r < end; r++) {
        const at = this.#rowStart(r, this.#plan.keyStride);
        const sees = softmaxStep(
          scores,
          at,
          this.#step,
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
    if (seen) this.#addValues(tile);
  }

  /**
   * The rows that a tile is computed for: those that see any of it, and their panels' other rows,
   * whose weights come out as 0. All of them if hidden scores are wanted too.
   */
  #rowsOfTile(keys: KeyRange, positions: KeyRange): { readonly from: number; readonly to: number } {
    if (this.#scores) {
      this.#programs?.startTile(keys, 0, this.#rows);
      return { from: 0, to: this.#rows };
    }
    let { from, to } = rowsSeeing(this.#band, positions, this.#space.rows.position, this.#rows);
    if (this.#programs) ({ from, to } = this.#programs.startTile(keys, from, to));
    if (this.#streams || from >= to) return { from, to };
    return { from: panelStart(from), to: Math.min(this.#rows, panelStart(to - 1) + panelRows) };
  }

  /** Step 1 of the semantics: the scaled dot products of the block's rows with a tile's keys. */
  #scoreTile(tile: Tile): void {
    const { keyStride: stride } = this.#plan;
    const { scores, query, key } = this.#space;
    const { headDim } = this.#problem;
    const keys = tile.end - tile.start;
    if (this.#streams) {
      this.#forEachStreamed(this.#keys, tile, this.#space.key32, headDim, (rows, before, count) => {
        const { data, base, stride: next } = rows;
        for (let r = tile.from; r < tile.to; r++) {
          const at = r * stride + before;
          streamScores(query, r, data, base, next, count, headDim, scores, at);
        }
      });
      return;
    }
    this.#keys.packPanels(key, panelKeys, this.#sequence, this.#g, tile);
    const paddedKeys = Math.ceil(keys / panelKeys) * panelKeys;
    tileScores(query, key, scores, tile.from, tile.to, paddedKeys, headDim, stride);
  }

  /** Steps 2 to 4 of the semantics on a panel's rows `first ≤ r < end` of a tile; keeps the scores that are wanted. */
  #finishPanel(first: number, end: number, tile: Tile): void {
    const { scores } = this.#space;
    const at = this.#rowStart(first, this.#plan.keyStride);
    // Rows whose bias hides keys, as bits.
    let biasHides = 0;
    for (let r = first; r < end; r++) {
      if (this.#changeLogits(r, this.#logitsRow(r, tile), tile)) biasHides |= 1 << (r - first);
    }
    this.#programs?.changeScores(first, scores, at);
    for (let r = first; r < end; r++) {
      this.#hideLogits(r, this.#logitsRow(r, tile), tile, ((biasHides >> (r - first)) & 1) !== 0);
    }
    this.#programs?.hide(first, scores, at);
    if (!this.#problem.returns.weights) return;
    const { keyLength } = this.#problem;
    for (let r = first; r < end; r++) {
      copyRow(this.#logitsRow(r, tile), this.#logits, r * keyLength + tile.start);
    }
  }

  /**
   * Steps 2 and 3 on a row, but for the score program.
   *
   * @returns whether the bias hides a key
   */
  #changeLogits(r: number, row: LogitsRow, tile: Tile): boolean {
    const { softcap, returns } = this.#problem;
    const { bias, alibiSlopes } = this.#inputs;
    if (returns.scores === "raw") this.#storeScores(r, row, tile);
    if (softcap !== null) capRow(row, softcap, this.#exact);
    if (returns.scores === "capped") this.#storeScores(r, row, tile);
    const hides = bias ? addBias(row, bias, this.#elementOf(bias, r, tile)) : false;
    if (alibiSlopes) {
      const { head, position } = this.#space.rows;
      const { keyPositions } = this.#sequence;
      const slope = alibiSlopes[head[r] as number] as number;
      const at = position[r] as number;
      if (keyPositions) addAlibiAt(row, slope, at, keyPositions, tile.start);
      else addAlibi(row, slope, at, tile.start);
    }
    return hides;
  }

  /** Step 4 on a row, but for the mask program and the block mask. */
  #hideLogits(r: number, row: LogitsRow, tile: Tile, biasHides: boolean): void {
    const { mask, bias } = this.#inputs;
    if (this.#problem.returns.scores === "biased") this.#storeScores(r, row, tile);
    if (bias && biasHides) hideByBias(row, bias, this.#elementOf(bias, r, tile));
    if (!tile.full) {
      const position = this.#space.rows.position[r] as number;
      const { keyPositions } = this.#sequence;
      if (keyPositions) hideOutsideBandAt(row, tile, this.#band, position, keyPositions);
      else hideOutsideBand(row, tile, this.#band, position);
    }
    if (mask) hideMasked(row, mask, this.#elementOf(mask, r, tile));
  }

  /** Index of a row's first element of a tile in a mask or bias. */
  #elementOf(t: HostTensor, r: number, tile: KeyRange): number {
    const { head, index } = this.#space.rows;
    return elementOffset(t, this.#b, head[r] as number, index[r] as number, tile.start);
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
    const { keyStride: stride, valueStride } = this.#plan;
    const { scores, output, value } = this.#space;
    const { valueDim } = this.#problem;
    const keys = tile.end - tile.start;
    if (this.#streams) {
      const to32 = this.#space.value32;
      this.#forEachStreamed(this.#values, tile, to32, valueStride, (rows, before, count) => {
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
    this.#values.packRows(value, valueStride, this.#sequence, this.#g, tile);
    const rows = { data: value, base: 0, stride: valueStride };
    if (this.#isGuarded(rows, keys)) this.#addGuarded(tile, rows, 0, keys);
    else tileValues(scores, value, output, tile.from, tile.to, keys, valueStride, stride);
  }

  /** Whether a row of the tile hides a key, and a value is not finite. */
  #isGuarded({ data, base, stride }: TileRows<Packed>, keys: number): boolean {
    if (!this.#space.statistics.hidden) return false;
    return !allFinite(data, base, stride, keys, this.#problem.valueDim);
  }

  /** Adds values that are not finite to the rows that see them only. */
  #addGuarded(tile: Tile, rows: TileRows<Packed>, before: number, keys: number): void {
    const { scores, output } = this.#space;
    const { data, base, stride } = rows;
    const { valueDim } = this.#problem;
    for (let r = tile.from; r < tile.to; r++) {
      const at = this.#rowStart(r, this.#plan.keyStride) + before * this.#step;
      const to = r * this.#plan.valueStride;
      guardedValues(scores, at, this.#step, data, base, stride, keys, valueDim, output, to);
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
    if (source.areDense) {
      source.forEachRun(this.#sequence, this.#g, tile, visit);
      return;
    }
    source.packRows(packed, stride, this.#sequence, this.#g, tile);
    visit({ data: packed, base: 0, stride }, 0, tile.end - tile.start);
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
  get #step(): 1 | 3 {
    return this.#streams ? 1 : panelRows;
  }

  /** Index of a row's first element among rows of `size` elements, in panels or in plain rows. */
  #rowStart(r: number, size: number): number {
    if (this.#streams) return r * size;
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
