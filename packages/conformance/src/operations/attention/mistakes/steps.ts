import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionProblem,
  attention,
  type BoundInputs,
  bindInputs,
  type FloatDType,
  fromFloat64,
  type HostTensor,
  keyHeadOf,
  roundOutputs,
  statisticsDType,
  toFloat64,
  visibleBand,
  visibleKeys,
} from "@heed/core";
import { isStoredCall } from "../build/stored.js";

/** A row's place: batch, query head, query row, and its position on the key axis. */
export interface Place {
  readonly b: number;
  readonly h: number;
  readonly i: number;
  readonly p: number;
}

/** A call, bound, and its tensors' elements. */
export interface BoundCall {
  readonly problem: AttentionProblem;
  readonly bound: BoundInputs;
  readonly query: Float64Array;
  readonly key: Float64Array;
  readonly value: Float64Array;
}

/**
 * Attention in float64, in steps that a mistake can replace one at a time. As they stand they are right,
 * which the test of the mutants checks.
 */
export const steps = {
  /** A tensor's elements, row-major. */
  read: (t: HostTensor): Float64Array => toFloat64(t),
  keyHead: (h: number, { problem }: BoundCall): number => keyHeadOf(problem, h),
  position: (b: number, i: number, { bound }: BoundCall): number =>
    i + (bound.offsets[b] as number),
  /** Keys that exist. */
  length: (b: number, { bound }: BoundCall): number => bound.kvLengths[b] as number,
  dot: (query: Float64Array, q: number, key: Float64Array, k: number, size: number): number => {
    let sum = 0;
    for (let c = 0; c < size; c++) sum += (query[q + c] as number) * (key[k + c] as number);
    return sum;
  },
  scaled: (dot: number, { problem }: BoundCall): number => problem.scale * dot,
  capped: (s: number, { problem }: BoundCall): number =>
    problem.softcap === null ? s : problem.softcap * Math.tanh(s / problem.softcap),
  biased: (s: number, place: Place, j: number, call: BoundCall): number =>
    s + steps.bias(place, j, call) - steps.alibi(place, j, call),
  bias: ({ b, h, i }: Place, j: number, { bound }: BoundCall): number =>
    bound.bias ? at(bound.bias, b, h, i, j) : 0,
  alibi: ({ h, p }: Place, j: number, { bound }: BoundCall): number =>
    bound.alibiSlopes ? (bound.alibiSlopes[h] as number) * Math.abs(p - j) : 0,
  inBand: ({ p }: Place, j: number, { problem }: BoundCall): boolean => {
    const { start, end } = visibleKeys(visibleBand(problem), problem.keyLength, p);
    return start <= j && j < end;
  },
  attends: ({ b, h, i }: Place, j: number, { bound }: BoundCall): boolean =>
    bound.mask === null || at(bound.mask, b, h, i, j) !== 0,
  visible: (s: number, place: Place, j: number, call: BoundCall): boolean =>
    s !== Number.NEGATIVE_INFINITY && steps.bias(place, j, call) !== Number.NEGATIVE_INFINITY,
  sink: ({ h }: Place, { bound }: BoundCall): number =>
    bound.sinks?.[h] ?? Number.NEGATIVE_INFINITY,
  max: (max: number): number => max,
  weight: (logit: number, max: number, sum: number): number => Math.exp(logit - max) / sum,
  /** Adds `weight · value` to a sum. */
  add: (sum: number, weight: number, value: number): number => sum + weight * value,
  /** The log-sum-exp of a row that sees something, or has a sink. */
  logSumExp: (max: number, sum: number): number => max + Math.log(sum),
  /** A row without keys and without a sink. */
  empty: { output: 0, logSumExp: Number.NEGATIVE_INFINITY as number },
  /** Values of hidden keys are not read: otherwise NaN times 0 gets in. */
  readsHidden: false,
  /** Scores that are returned. */
  score: (raw: number, capped: number, biased: number, { problem }: BoundCall): number => {
    const { scores } = problem.returns;
    return scores === "raw" ? raw : scores === "capped" ? capped : biased;
  },
  /** Rounds what is stored. */
  store: (x: number): number => x,
};

export type Steps = typeof steps;

/** An element of an expanded mask or bias. */
export function at(t: HostTensor, ...index: readonly number[]): number {
  const place = index.reduce((sum, i, axis) => sum + i * (t.strides[axis] as number), t.offset);
  const { data } = t;
  if (t.dtype !== "float16" || !(data instanceof Uint16Array)) return data[place] as number;
  return toFloat64({ ...t, data, shape: [1], strides: [1], offset: place })[0] as number;
}

/** The reference's outputs, each rounded once. */
function evaluated(
  problem: AttentionProblem,
  inputs: AttentionInputs,
): AttentionOutputs<HostTensor> {
  const exact = attention.reference(attention.bind(problem, inputs));
  return roundOutputs(attention.operands(problem), exact) as AttentionOutputs<HostTensor>;
}

/** Computes a call with some steps replaced. */
export function attend(
  problem: AttentionProblem,
  inputs: AttentionInputs,
  replaced: Partial<Steps>,
): AttentionOutputs<HostTensor> {
  // The steps are those of plain calls; mistakes with others change the call.
  if (isStoredCall(inputs as AttentionInputs<HostTensor>)) return evaluated(problem, inputs);
  const s = { ...steps, ...replaced };
  if (replaced.bias || replaced.alibi) {
    s.biased =
      replaced.biased ?? ((x, place, j, c) => x + s.bias(place, j, c) - s.alibi(place, j, c));
  }
  const bound = bindInputs(problem, inputs);
  const call: BoundCall = {
    problem,
    bound,
    query: s.read(bound.query),
    key: s.read(bound.key),
    value: s.read(bound.value),
  };
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim } = problem;
  const rows = batch * queryHeads * queryLength;
  const output = new Float64Array(rows * valueDim);
  const logSumExp = new Float64Array(rows);
  const weights = new Float64Array(problem.returns.weights ? rows * keyLength : 0);
  const scores = new Float64Array(problem.returns.scores ? rows * keyLength : 0);
  const logits = new Float64Array(keyLength);
  for (let row = 0; row < rows; row++) {
    const b = Math.floor(row / (queryHeads * queryLength));
    const h = Math.floor(row / queryLength) % queryHeads;
    const i = row % queryLength;
    const place: Place = { b, h, i, p: s.position(b, i, call) };
    const head = (b * kvHeads + s.keyHead(h, call)) * keyLength;
    const length = s.length(b, call);
    const sink = s.sink(place, call);
    let max = sink;
    for (let j = 0; j < length; j++) {
      const inBand = s.inBand(place, j, call);
      logits[j] = Number.NEGATIVE_INFINITY;
      if (!inBand && !problem.returns.scores) continue;
      const dot = s.dot(call.query, row * headDim, call.key, (head + j) * headDim, headDim);
      const raw = s.scaled(dot, call);
      const capped = s.capped(raw, call);
      const biased = s.biased(capped, place, j, call);
      if (problem.returns.scores) {
        scores[row * keyLength + j] = s.score(raw, capped, biased, call);
      }
      if (!inBand || !s.attends(place, j, call) || !s.visible(biased, place, j, call)) continue;
      logits[j] = biased;
      max = Math.max(max, biased);
    }
    max = s.max(max);
    if (max === Number.NEGATIVE_INFINITY) {
      output.fill(s.empty.output, row * valueDim, (row + 1) * valueDim);
      logSumExp[row] = s.empty.logSumExp;
      continue;
    }
    let sum = Math.exp(sink - max);
    for (let j = 0; j < length; j++) sum += Math.exp((logits[j] as number) - max);
    logSumExp[row] = s.logSumExp(max, sum);
    for (let j = 0; j < length; j++) {
      const weight = s.weight(logits[j] as number, max, sum);
      if (problem.returns.weights) weights[row * keyLength + j] = weight;
      if (logits[j] === Number.NEGATIVE_INFINITY && !s.readsHidden) continue;
      for (let c = 0; c < valueDim; c++) {
        const to = row * valueDim + c;
        output[to] = s.add(
          output[to] as number,
          weight,
          call.value[(head + j) * valueDim + c] as number,
        );
      }
    }
  }
  const give = (values: Float64Array, last: readonly number[], dtype: FloatDType): HostTensor =>
    fromFloat64(values.map(s.store), [batch, queryHeads, queryLength, ...last], dtype);
  const { dtype, returns } = problem;
  return {
    output: give(output, [valueDim], dtype),
    ...(returns.logSumExp && { logSumExp: give(logSumExp, [], statisticsDType(dtype)) }),
    ...(returns.weights && { weights: give(weights, [keyLength], dtype) }),
    ...(returns.scores && { scores: give(scores, [keyLength], dtype) }),
  };
}
