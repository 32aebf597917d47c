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
import { at, backendOf } from "./mutants/attention.js";

/** Bugs that a backend of one's own has at first; each alone leaves most cases right. */
export type ToyBug =
  | "offset of batch 0"
  | "mask of the key head"
  | "no rescale by the last tile"
  | "last tile by 24 only";

/** One query row after another, and for each, tile after tile of keys: an online softmax. */
export function toy(bugs: readonly ToyBug[]): AttentionProvider {
  return backendOf(async (problem, inputs) => attend(problem, inputs, new Set(bugs)));
}

function attend(
  problem: AttentionProblem,
  inputs: AttentionInputs,
  bugs: ReadonlySet<ToyBug>,
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
  const tile = bugs.has("last tile by 24 only") ? 24 : 16;
  for (let row = 0; row < batch * queryHeads * queryLength; row++) {
    const i = row % queryLength;
    const h = Math.floor(row / queryLength) % queryHeads;
    const b = Math.floor(row / queryLength / queryHeads);
    const g = Math.floor((h * kvHeads) / queryHeads);
    const position = i + (bound.offsets[bugs.has("offset of batch 0") ? 0 : b] as number);
    const whole = bound.kvLengths[b] as number;
    // Something that no known mistake gives: the last tile counts, but by half.
    const share = (end: number) => (bugs.has("last tile by 24 only") && end % tile ? 0.5 : 1);
    let max = bound.sinks?.[h] ?? Number.NEGATIVE_INFINITY;
    let sum = max === Number.NEGATIVE_INFINITY ? 0 : 1;
    const accumulator = new Float64Array(valueDim);
    for (let start = 0; start < whole; start += tile) {
      const end = Math.min(start + tile, whole);
      const logits: number[] = [];
      for (let j = start; j < end; j++) {
        let s = 0;
        const from = ((b * kvHeads + g) * keyLength + j) * headDim;
        for (let c = 0; c < headDim; c++) {
          s += (query[row * headDim + c] as number) * (key[from + c] as number);
        }
        s *= scale;
        if (softcap !== null) s = softcap * Math.tanh(s / softcap);
        if (bound.bias) s += at(bound.bias, b, h, i, j);
        const head = bugs.has("mask of the key head") ? g : h;
        const hidden =
          (causal && j > position) || (bound.mask && at(bound.mask, b, head, i, j) === 0);
        logits.push(hidden ? Number.NEGATIVE_INFINITY : s);
      }
      const now = Math.max(max, ...logits);
      if (now === Number.NEGATIVE_INFINITY) continue;
      const factor = max === Number.NEGATIVE_INFINITY ? 0 : Math.exp(max - now);
      sum *= factor;
      if (!bugs.has("no rescale by the last tile") || end - start === tile) {
        for (let c = 0; c < valueDim; c++) accumulator[c] = (accumulator[c] as number) * factor;
      }
      max = now;
      for (const [k, s] of logits.entries()) {
        const weight = share(end) * Math.exp(s - max);
        if (weight === 0) continue;
        sum += weight;
        const from = ((b * kvHeads + g) * keyLength + start + k) * valueDim;
        for (let c = 0; c < valueDim; c++) {
          (accumulator[c] as number) += weight * (value[from + c] as number);
        }
      }
    }
    if (logSumExp)
      logSumExp.data[row] = max === Number.NEGATIVE_INFINITY ? max : max + Math.log(sum);
    for (let c = 0; c < valueDim && sum > 0; c++) {
      output.data[row * valueDim + c] = (accumulator[c] as number) / sum;
    }
  }
  return { output, ...(logSumExp && { logSumExp }) };
}
