import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionProblem,
  type AttentionProvider,
  bindInputs,
  type HostTensor,
  toFloat64,
  zeros,
} from "@heed/core";
import { at } from "../../../src/operations/attention/mistakes/steps.js";
import { backendOf } from "./mutants/backend.js";

/** Bugs that a backend of one's own has at first; each alone leaves most cases right. */
export type ToyBug =
  | "offset of batch 0"
  | "mask of the key head"
  | "no rescale by the last tile"
  | "last tile by 24 only"
  | "softcap after the bias"
  | "a sink a tile"
  | "tiles of batch 0"
  | "length of the next batch"
  | "values as far apart as keys"
  | "sink after the normalisation";

/** A size that no explanation knows by itself, where a bug shows in tiles. */
const uncommon: readonly ToyBug[] = ["last tile by 24 only", "a sink a tile", "tiles of batch 0"];

/** One query row after another, and for each, tile after tile of keys: an online softmax. */
export function toy(bugs: readonly ToyBug[]): AttentionProvider {
  const keys = bugs.some((bug) => uncommon.includes(bug)) ? 24 : 16;
  const own = new Set(bugs);
  return backendOf(async (problem, inputs) => attend(problem, inputs, own, keys), { keys });
}

function attend(
  problem: AttentionProblem,
  inputs: AttentionInputs,
  bugs: ReadonlySet<ToyBug>,
  tile: number,
): AttentionOutputs<HostTensor> {
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim } = problem;
  const { scale, softcap, causal, returns } = problem;
  const bound = bindInputs(problem, inputs);
  const [query, key, value] = [bound.query, bound.key, bound.value].map(toFloat64) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const rows = [batch, queryHeads, queryLength];
  const output = zeros("float32", [...rows, valueDim]);
  const logSumExp = returns.logSumExp ? zeros("float32", rows) : null;
  for (let row = 0; row < batch * queryHeads * queryLength; row++) {
    const i = row % queryLength;
    const h = Math.floor(row / queryLength) % queryHeads;
    const b = Math.floor(row / queryLength / queryHeads);
    const g = Math.floor((h * kvHeads) / queryHeads);
    const position = i + (bound.offsets[bugs.has("offset of batch 0") ? 0 : b] as number);
    const next = Math.min(b + 1, batch - 1);
    const whole = bound.kvLengths[bugs.has("length of the next batch") ? next : b] as number;
    // Something that no known mistake gives: the last tile counts, but by half.
    const share = (end: number) => (bugs.has("last tile by 24 only") && end % tile ? 0.5 : 1);
    const past = Math.ceil((bound.kvLengths[0] as number) / tile) * tile;
    const sink = bound.sinks?.[h] ?? Number.NEGATIVE_INFINITY;
    const late = bugs.has("sink after the normalisation");
    let max = late ? Number.NEGATIVE_INFINITY : sink;
    let sum = max === Number.NEGATIVE_INFINITY ? 0 : 1;
    const accumulator = new Float64Array(valueDim);
    for (let start = 0; start < whole; start += tile) {
      if (bugs.has("tiles of batch 0") && start >= past) break;
      const end = Math.min(start + tile, whole);
      const logits: number[] = [];
      for (let j = start; j < end; j++) {
        let s = 0;
        const from = ((b * kvHeads + g) * keyLength + j) * headDim;
        for (let c = 0; c < headDim; c++) {
          s += (query[row * headDim + c] as number) * (key[from + c] as number);
        }
        s *= scale;
        const bias = bound.bias ? at(bound.bias, b, h, i, j) : 0;
        if (bugs.has("softcap after the bias")) s += bias;
        if (softcap !== null) s = softcap * Math.tanh(s / softcap);
        if (!bugs.has("softcap after the bias")) s += bias;
        const head = bugs.has("mask of the key head") ? g : h;
        const hidden =
          (causal && j > position) || (bound.mask && at(bound.mask, b, head, i, j) === 0);
        logits.push(hidden ? Number.NEGATIVE_INFINITY : s);
      }
      const now = Math.max(max, ...logits);
      if (now === Number.NEGATIVE_INFINITY) continue;
      const factor = max === Number.NEGATIVE_INFINITY ? 0 : Math.exp(max - now);
      sum *= factor;
      if (bugs.has("a sink a tile") && start > 0) sum += Math.exp(sink - now);
      if (!bugs.has("no rescale by the last tile") || end - start === tile) {
        for (let c = 0; c < valueDim; c++) accumulator[c] = (accumulator[c] as number) * factor;
      }
      max = now;
      for (const [k, s] of logits.entries()) {
        const weight = share(end) * Math.exp(s - max);
        if (weight === 0) continue;
        sum += weight;
        const apart = bugs.has("values as far apart as keys") ? headDim : valueDim;
        const from = ((b * kvHeads + g) * keyLength + start + k) * apart;
        for (let c = 0; c < valueDim; c++) {
          (accumulator[c] as number) += weight * (value[from + c] as number);
        }
      }
    }
    const once = late && sum > 0 ? 1 + Math.exp(sink - max) : 1;
    if (logSumExp) {
      const own = max === Number.NEGATIVE_INFINITY ? max : max + Math.log(sum);
      logSumExp.data[row] = late ? logAdd(own, sink) : own;
    }
    for (let c = 0; c < valueDim && sum > 0; c++) {
      output.data[row * valueDim + c] = (accumulator[c] as number) / sum / once;
    }
  }
  return { output, ...(logSumExp && { logSumExp }) };
}

/** ln(exp(a) + exp(b)). */
function logAdd(a: number, b: number): number {
  const max = Math.max(a, b);
  return max === Number.NEGATIVE_INFINITY
    ? max
    : max + Math.log(Math.exp(a - max) + Math.exp(b - max));
}
