import {
  type AttentionOutputs,
  type AttentionProblem,
  type BoundInputs,
  type HostTensor,
  statisticsDType,
  visibleBand,
  writeValues,
  zeros,
} from "@heed/core";
import { expFloat32 } from "./exp.js";
import { allFinite, guardedValues } from "./kernels/guarded.js";
import { packRows } from "./kernels/pack.js";
import { softmaxStep } from "./kernels/softmax.js";
import { streamScores, streamValues } from "./kernels/stream.js";
import { tileScores, tileValues } from "./kernels/tile.js";
import { addAlibi, addBias, capRow, elementOffset, hideMasked, hideOutsideBand } from "./logits.js";
import { type JsPlan, registerBlock } from "./plan.js";
import { type Band, fullyVisible, type KeyRange, visibleKeys } from "./visibility.js";
import type { Workspace } from "./workspace.js";

type Tile = Float64Array | Float32Array;

/** Where a tile's rows are: packed in the workspace, or in place in a tensor. */
interface TileRows<D extends Tile> {
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
  readonly #band: Band;
  readonly #exact: boolean;
  readonly #output: HostTensor;
  readonly #logSumExp: HostTensor | null;
  readonly #weights: HostTensor | null;
  readonly #scores: HostTensor | null;
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
  }

  run(): AttentionOutputs<HostTensor> {
    const { batch, kvHeads, queryLength } = this.#problem;
    const total = this.#plan.group * queryLength;
    for (this.#b = 0; this.#b < batch; this.#b++) {
      for (this.#g = 0; this.#g < kvHeads; this.#g++) {
        for (let start = 0; start < total; start += this.#plan.rows) {
          this.#rows = Math.min(this.#plan.rows, total - start);
          this.#runBlock(start);
        }
      }
    }
    return {
      output: this.#output,
      ...(this.#logSumExp && { logSumExp: this.#logSumExp }),
      ...(this.#weights && { weights: this.#weights }),
      ...(this.#scores && { scores: this.#scores }),
    };
  }

  #runBlock(start: number): void {
    this.#loadBlock(start);
    const length = this.#inputs.kvLengths[this.#b] as number;
    const { position } = this.#space.rows;
    const first = position[0] as number;
    const last = position[this.#rows - 1] as number;
    const visible = visibleKeys(this.#band, length, first, last);
    // Scores are wanted of hidden keys too: then every tile is scored, and only the visible ones
    // take part in the softmax.
    const scored = this.#scores ? { start: 0, end: length } : visible;
    for (let key = scored.start; key < scored.end; key += this.#plan.keys) {
      const tile = { start: key, end: Math.min(key + this.#plan.keys, scored.end) };
      this.#runTile(tile, fullyVisible(this.#band, tile, first, last));
    }
    this.#storeBlock();
  }

  /** Rows are stacked query by query: row = i · group + the head within the group. */
  #loadBlock(start: number): void {
    const { group } = this.#plan;
    const { query, rows, statistics, output, logits } = this.#space;
    const { headDim, scale } = this.#problem;
    const source = this.#inputs.query;
    const offset = this.#inputs.offsets[this.#b] as number;
    for (let r = 0; r < this.#rows; r++) {
      const i = Math.floor((start + r) / group);
      const h = this.#g * group + ((start + r) % group);
      rows.head[r] = h;
      rows.index[r] = i;
      rows.position[r] = i + offset;
      const at = elementOffset(source, this.#b, h, i, 0);
      const to = query.subarray(r * headDim, (r + 1) * headDim);
      packRows(to, headDim, source, at, 0, source.strides[3] as number, 1, headDim);
    }
    // The scale goes into the query once instead of into every score.
    for (let c = 0; c < this.#rows * headDim; c++) (query[c] as number) *= scale;
    statistics.max.fill(Number.NEGATIVE_INFINITY);
    statistics.sum.fill(0);
    output.fill(0);
    logits.fill(Number.NEGATIVE_INFINITY);
  }

  #runTile(tile: KeyRange, full: boolean): void {
    const { keys: stride, valueStride, kernel } = this.#plan;
    const { scores, query, output, statistics, logits } = this.#space;
    const { headDim, keyLength } = this.#problem;
    const keys = tile.end - tile.start;
    if (kernel === "stream") {
      const key = this.#rowsInPlace(this.#inputs.key, tile, this.#space.key32, headDim);
      for (let r = 0; r < this.#rows; r++) {
        streamScores(query, r, key.data, key.base, key.stride, keys, headDim, scores, r * stride);
      }
    } else {
      this.#packTile(this.#space.key, headDim, this.#inputs.key, tile, headDim);
      tileScores(query, this.#space.key, scores, this.#paddedRows(), keys, headDim, stride);
    }

    for (let r = 0; r < this.#rows; r++) this.#finishLogits(r, tile, full);
    let seen = false;
    for (let r = 0; r < this.#rows; r++) {
      if (logits.length > 0) {
        const row = scores.subarray(r * stride, r * stride + keys);
        logits.set(row, r * keyLength + tile.start);
      }
      const to = r * valueStride;
      const sees = softmaxStep(
        scores,
        r * stride,
        keys,
        statistics,
        r,
        output,
        to,
        valueStride,
        this.#exact,
      );
      seen = sees || seen;
    }
    if (seen) this.#addValues(tile, full);
  }

  /** Steps 2 to 4 of the semantics on a row of a tile, and its scores where they are wanted. */
  #finishLogits(r: number, tile: KeyRange, full: boolean): void {
    const { softcap, returns } = this.#problem;
    const { mask, bias, alibiSlopes } = this.#inputs;
    const { scores, rows } = this.#space;
    const at = r * this.#plan.keys;
    const keys = tile.end - tile.start;
    const h = rows.head[r] as number;
    const i = rows.index[r] as number;
    const position = rows.position[r] as number;
    if (returns.scores === "raw") this.#storeScores(r, tile);
    if (softcap !== null) capRow(scores, at, keys, softcap);
    if (returns.scores === "capped") this.#storeScores(r, tile);
    if (bias) addBias(scores, at, keys, bias, elementOffset(bias, this.#b, h, i, tile.start));
    if (alibiSlopes) addAlibi(scores, at, tile, alibiSlopes[h] as number, position);
    if (returns.scores === "biased") this.#storeScores(r, tile);
    if (!full) hideOutsideBand(scores, at, tile, this.#band, position);
    if (mask) hideMasked(scores, at, keys, mask, elementOffset(mask, this.#b, h, i, tile.start));
  }

  #storeScores(r: number, tile: KeyRange): void {
    const wanted = this.#scores as HostTensor;
    const at = r * this.#plan.keys;
    const row = this.#space.scores.subarray(at, at + tile.end - tile.start);
    const to = this.#rowOf(r) * this.#problem.keyLength + tile.start;
    writeValues(row, wanted.data, to, wanted.dtype);
  }

  #addValues(tile: KeyRange, full: boolean): void {
    const { keys: stride, valueStride, kernel } = this.#plan;
    const { scores, output } = this.#space;
    const { valueDim } = this.#problem;
    const keys = tile.end - tile.start;
    const stream = kernel === "stream";
    const value: TileRows<Tile> = stream
      ? this.#rowsInPlace(this.#inputs.value, tile, this.#space.value32, valueStride)
      : this.#packTile(this.#space.value, valueStride, this.#inputs.value, tile, valueDim);
    const hidden = !full || this.#inputs.mask !== null || this.#inputs.bias !== null;
    if (hidden && !allFinite(value.data, value.base, value.stride, keys, valueDim)) {
      for (let r = 0; r < this.#rows; r++) {
        const [at, to] = [r * stride, r * valueStride];
        const { data, base } = value;
        guardedValues(scores, at, data, base, value.stride, keys, valueDim, output, to);
      }
    } else if (stream) {
      const { data, base } = value as TileRows<Float32Array>;
      for (let r = 0; r < this.#rows; r++) {
        const [at, to] = [r * stride, r * valueStride];
        streamValues(scores, at, data, base, value.stride, keys, valueDim, output, to);
      }
    } else {
      const { data } = value as TileRows<Float64Array>;
      tileValues(scores, data, output, this.#paddedRows(), keys, valueStride, stride);
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

  #packTile<D extends Tile>(
    to: D,
    stride: number,
    source: HostTensor,
    tile: KeyRange,
    size: number,
  ): TileRows<D> {
    const start = elementOffset(source, this.#b, this.#g, tile.start, 0);
    const [, , rowStride, columnStride] = source.strides as readonly [
      number,
      number,
      number,
      number,
    ];
    packRows(to, stride, source, start, rowStride, columnStride, tile.end - tile.start, size);
    return { data: to, base: 0, stride };
  }

  /** Steps 5 and 6: the sink joins, rows are divided by their sums and stored. */
  #storeBlock(): void {
    const { valueStride } = this.#plan;
    const { statistics, output, rows } = this.#space;
    const { valueDim } = this.#problem;
    const { sinks } = this.#inputs;
    for (let r = 0; r < this.#rows; r++) {
      const row = this.#rowOf(r);
      const seen = statistics.max[r] as number;
      const sink = sinks ? (sinks[rows.head[r] as number] as number) : Number.NEGATIVE_INFINITY;
      const max = Math.max(seen, sink);
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
      for (let c = from; c < from + valueDim; c++) {
        output[c] = ((output[c] as number) * factor) / denominator;
      }
      const values = output.subarray(from, from + valueDim);
      writeValues(values, this.#output.data, row * valueDim, this.#output.dtype);
      if (this.#weights) this.#storeWeights(r, max, denominator, this.#weights);
    }
  }

  #storeWeights(r: number, max: number, denominator: number, weights: HostTensor): void {
    const { keyLength } = this.#problem;
    const row = this.#space.logits.subarray(r * keyLength, (r + 1) * keyLength);
    for (let j = 0; j < keyLength; j++) {
      const s = row[j] as number;
      const visible = s > Number.NEGATIVE_INFINITY;
      row[j] = visible ? (this.#exact ? Math.exp(s - max) : expFloat32(s - max)) / denominator : 0;
    }
    writeValues(row, weights.data, this.#rowOf(r) * keyLength, weights.dtype);
  }

  /** A block's row in the outputs' `[batch, queryHeads, queryLength]`. */
  #rowOf(r: number): number {
    const { queryHeads, queryLength } = this.#problem;
    const { head, index } = this.#space.rows;
    return (this.#b * queryHeads + (head[r] as number)) * queryLength + (index[r] as number);
  }

  #paddedRows(): number {
    return Math.ceil(this.#rows / registerBlock) * registerBlock;
  }
}
