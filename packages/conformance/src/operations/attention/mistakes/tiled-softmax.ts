import {
  bindHeadValues,
  describeProblem,
  type HostTensor,
  keyHeadOf,
  referenceAttention,
  toFloat64,
} from "@heed/core";
import type { Call } from "../laws/transform.js";
import { bandsOf } from "./bands.js";

/** A tile's effect on the sums of the tiles before it. `full` says whether it has all its keys. */
export interface TileSteps {
  /** Factor applied to the output so far; `factor` is exp(old maximum − new maximum). */
  readonly output: (factor: number, full: boolean) => number;
  readonly sum: (factor: number, full: boolean) => number;
  /** How often a tile is counted. */
  readonly times: (full: boolean) => number;
  /** The logit that stands for each key that the last tile lacks. */
  readonly missing: number;
  /** Whether the sink is added by each tile, not once. */
  readonly sinkOfEach: boolean;
}

const right: TileSteps = {
  output: (factor) => factor,
  sum: (factor) => factor,
  times: () => 1,
  missing: Number.NEGATIVE_INFINITY,
  sinkOfEach: false,
};

/** A call's logits and values, row by row, from which any tiled softmax follows. */
export interface Logits {
  readonly rows: number;
  readonly keyLength: number;
  readonly valueDim: number;
  /** `[rows, keyLength]`; −∞ where a key is hidden. */
  readonly logits: Float64Array;
  /** `[rows]`; −∞ for none. */
  readonly sinks: Float64Array;
  /** Keys that exist, `[rows]`. */
  readonly lengths: Int32Array;
  /** Index in `values` at which those of the row's key head begin, `[rows]`. */
  readonly valueStart: Int32Array;
  readonly values: Float64Array;
}

export function logitsOf(call: Call): Logits {
  const problem = describeProblem(call);
  const { batch, queryHeads, kvHeads, queryLength, keyLength, valueDim } = problem;
  const bandOf = bandsOf(call);
  const { sinks } = bindHeadValues(call);
  const returns = { weights: true, logSumExp: true };
  const { weights, logSumExp } = referenceAttention({ ...call, returns });
  const rows = batch * queryHeads * queryLength;
  const largest = toFloat64(logSumExp as HostTensor);
  const found = {
    rows,
    keyLength,
    valueDim,
    logits: toFloat64(weights as HostTensor).map(
      (weight, at) => Math.log(weight) + (largest[Math.floor(at / keyLength)] as number),
    ),
    sinks: new Float64Array(rows),
    lengths: new Int32Array(rows),
    valueStart: new Int32Array(rows),
    values: toFloat64(call.value),
  };
  for (let row = 0; row < rows; row++) {
    const b = Math.floor(row / (queryHeads * queryLength));
    const h = Math.floor(row / queryLength) % queryHeads;
    const g = keyHeadOf(problem, h);
    found.sinks[row] = sinks?.[h] ?? Number.NEGATIVE_INFINITY;
    found.lengths[row] = bandOf(row).end;
    found.valueStart[row] = (b * kvHeads + g) * keyLength * valueDim;
  }
  return found;
}

/**
 * The output, `[rows, valueDim]`, of an online softmax over tiles of keys (Milakov & Gimelshein, 2018,
 * arXiv:1805.02867) that makes a mistake; `null` where no row has more than one tile or a last one that
 * is not full.
 */
export function tiledOutput(
  given: Logits,
  tile: number,
  mistake: Partial<TileSteps>,
): Float64Array | null {
  const { keyLength, valueDim, logits, values } = given;
  if (given.lengths.every((length) => length <= tile && length % tile === 0)) return null;
  const steps = { ...right, ...mistake };
  const output = new Float64Array(given.rows * valueDim);
  for (let row = 0; row < given.rows; row++) {
    const length = given.lengths[row] as number;
    const sink = given.sinks[row] as number;
    const own = output.subarray(row * valueDim, (row + 1) * valueDim);
    let max = sink;
    let sum = sink === Number.NEGATIVE_INFINITY ? 0 : 1;
    for (let start = 0; start < length; start += tile) {
      const end = Math.min(start + tile, length);
      const full = end - start === tile;
      let now = max;
      for (let j = start; j < end; j++) now = Math.max(now, logits[row * keyLength + j] as number);
      if (!full) now = Math.max(now, steps.missing);
      if (now === Number.NEGATIVE_INFINITY) continue;
      if (now > max) {
        const factor = Math.exp(max - now);
        sum *= max === Number.NEGATIVE_INFINITY ? 0 : steps.sum(factor, full);
        const scale = max === Number.NEGATIVE_INFINITY ? 0 : steps.output(factor, full);
        for (let c = 0; c < valueDim; c++) (own[c] as number) *= scale;
        max = now;
      }
      if (steps.sinkOfEach && start > 0) sum += Math.exp(sink - max);
      if (!full) sum += (tile - (end - start)) * Math.exp(steps.missing - max);
      const times = steps.times(full);
      for (let j = start; j < end; j++) {
        const weight = times * Math.exp((logits[row * keyLength + j] as number) - max);
        if (weight === 0) continue;
        sum += weight;
        const at = (given.valueStart[row] as number) + j * valueDim;
        for (let c = 0; c < valueDim; c++) {
          (own[c] as number) += weight * (values[at + c] as number);
        }
      }
    }
    for (let c = 0; c < valueDim; c++) own[c] = sum === 0 ? 0 : (own[c] as number) / sum;
  }
  return output;
}
