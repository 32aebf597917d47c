import {
  type AttentionOutputs,
  type HostTensor,
  type KeyRange,
  statisticsDType,
  writeValues,
  zeros,
} from "@heed/core";
import type { Block } from "./block.js";
import { expFloat32 } from "./exp.js";
import { copyRow, type LogitsRow } from "./logits.js";

/** The outputs of a call, which blocks store their rows in. */
export class Results {
  readonly #block: Block;
  readonly #exact: boolean;
  readonly #output: HostTensor;
  readonly #logSumExp: HostTensor | null;
  readonly #weights: HostTensor | null;
  readonly #scores: HostTensor | null;
  /** `[rows, keyLength]` if weights are wanted. Made for a call: a plan that kept it would hold much. */
  readonly #logits: Float64Array;

  constructor(block: Block) {
    this.#block = block;
    const { batch, queryHeads, queryLength, keyLength, valueDim, dtype, returns } = block.problem;
    const rows = [batch, queryHeads, queryLength];
    this.#exact = dtype === "float64";
    this.#output = zeros(dtype, [...rows, valueDim]);
    this.#logSumExp = returns.logSumExp ? zeros(statisticsDType(dtype), rows) : null;
    this.#weights = returns.weights ? zeros(dtype, [...rows, keyLength]) : null;
    this.#scores = returns.scores ? zeros(dtype, [...rows, keyLength]) : null;
    this.#logits = new Float64Array(block.plan.logits);
  }

  get outputs(): AttentionOutputs<HostTensor> {
    return {
      output: this.#output,
      ...(this.#logSumExp && { logSumExp: this.#logSumExp }),
      ...(this.#weights && { weights: this.#weights }),
      ...(this.#scores && { scores: this.#scores }),
    };
  }

  /** Starts a block: its logits are hidden until they are kept. */
  startBlock(): void {
    this.#logits.fill(Number.NEGATIVE_INFINITY);
  }

  /** Keeps a row's logits of a tile, of which weights are made at the end: they are wanted. */
  keepLogits(r: number, row: LogitsRow, tile: KeyRange): void {
    copyRow(row, this.#logits, r * this.#block.problem.keyLength + tile.start);
  }

  /** Stores a row's scores of a tile, which are wanted. */
  storeScores(r: number, row: LogitsRow, tile: KeyRange): void {
    const block = this.#block;
    const wanted = this.#scores as HostTensor;
    copyRow(row, block.space.row, 0);
    const values = block.space.row.subarray(0, row.keys);
    const to = block.outputRow(r) * block.problem.keyLength + tile.start;
    writeValues(values, wanted.data, to, wanted.dtype);
  }

  /** Steps 5 and 6: the sink joins, rows are divided by their sums and stored. */
  storeBlock(): void {
    const block = this.#block;
    const { valueStride } = block.plan;
    const { statistics, output, rows, row: line } = block.space;
    const { valueDim } = block.problem;
    const { weightFactor } = statistics;
    const { sinks } = block.inputs;
    for (let r = 0; r < block.rows; r++) {
      const row = block.outputRow(r);
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
      const values = line.subarray(0, valueDim);
      for (let c = 0; c < valueDim; c++) {
        values[c] = ((output[from + c] as number) * factor) / denominator / weightFactor;
      }
      writeValues(values, this.#output.data, row * valueDim, this.#output.dtype);
      if (this.#weights) this.#storeWeights(r, max, denominator, this.#weights);
    }
  }

  /** A row that sees a logit of NaN or +∞. */
  #storeNaN(r: number, row: number): void {
    const { valueDim } = this.#block.problem;
    const values = this.#block.space.row.fill(Number.NaN, 0, valueDim).subarray(0, valueDim);
    writeValues(values, this.#output.data, row * valueDim, this.#output.dtype);
    if (this.#logSumExp) this.#logSumExp.data[row] = Number.NaN;
    if (this.#weights) this.#storeWeights(r, Number.NaN, Number.NaN, this.#weights);
  }

  #storeWeights(r: number, max: number, denominator: number, weights: HostTensor): void {
    const { keyLength } = this.#block.problem;
    const row = this.#logits.subarray(r * keyLength, (r + 1) * keyLength);
    for (let j = 0; j < keyLength; j++) {
      const s = row[j] as number;
      const visible = s !== Number.NEGATIVE_INFINITY;
      row[j] = visible ? (this.#exact ? Math.exp(s - max) : expFloat32(s - max)) / denominator : 0;
    }
    writeValues(row, weights.data, this.#block.outputRow(r) * keyLength, weights.dtype);
  }
}
