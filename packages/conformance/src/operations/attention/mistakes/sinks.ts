import {
  type AttentionInputs,
  bindHeadValues,
  type HostTensor,
  referenceAttention,
  toFloat64,
} from "@heed/core";
import { withOffsets } from "../laws/transform.js";

type Call = AttentionInputs<HostTensor>;

/** A mistake that divides each row by something else than Σ exp(s − max) + exp(sink − max). */
export interface DenominatorMistake {
  /** Completes "this is what comes out if …". */
  readonly name: string;
  /** Factors by which the rows of a call come out too large, `[batch · queryHeads · queryLength]`. */
  readonly factors: (call: Call) => Float64Array | null;
}

/** The quantities that make up a row's softmax denominator. */
interface Row {
  /** ln Σ exp(s) of the visible keys; −∞ for none. */
  readonly keys: number;
  /** `max` is the largest logit of the visible keys; `most` is the larger of that and the sink. */
  readonly max: number;
  readonly most: number;
  readonly sink: number;
}

/** Mistakes with sinks, as the logarithm of what a row is divided by. */
const ofSinks: readonly (readonly [name: string, logDenominator: (row: Row) => number])[] = [
  [
    "the sink comes after the normalisation: weights are divided by their sum, then by 1 + exp(sink − max)",
    ({ keys, max, sink }) => keys + Math.log1p(Math.exp(sink - max)),
  ],
  [
    "the sink comes after the normalisation, and the maximum is the sink's too",
    ({ keys, most, sink }) => keys + Math.log1p(Math.exp(sink - most)),
  ],
  [
    "the sink is added as exp(sink), without the maximum",
    ({ keys, max, sink }) => logSum(keys, sink + max),
  ],
  [
    "the sink is added as exp(sink), without the maximum, which may be the sink's",
    ({ keys, most, sink }) => logSum(keys, sink + most),
  ],
  ["the sink counts twice", ({ keys, sink }) => logSum(keys, sink + Math.LN2)],
  [
    "the sink itself is added to the sum, not its exponential",
    ({ keys, max, sink }) => max + Math.log(Math.exp(keys - max) + sink),
  ],
];

/** Rules that hide keys, as what a call has without them. */
const rules = ["mask", "causal", "window", "kvLengths"] as const;

export const denominatorMistakes: readonly DenominatorMistake[] = [
  ...ofSinks.map(([name, logDenominator]) => ({
    name,
    factors: (call: Call): Float64Array | null => {
      if (!call.sinks) return null;
      return Float64Array.from(rowsOf(call), (row) =>
        Math.exp(logSum(row.keys, row.sink) - logDenominator(row)),
      );
    },
  })),
  ...rules.map((rule) => ({
    name: `${rule} comes after the softmax: what it hides still counts in the sum`,
    factors: (call: Call): Float64Array | null => {
      if (!call[rule]) return null;
      const all = logSumExp({ ...withOffsets(call), [rule]: undefined });
      return logSumExp(call).map((own, row) => Math.exp(own - (all[row] as number)));
    },
  })),
];

/** The call's output with each row too large by a factor. */
export function scaledOutput({ factors }: DenominatorMistake, call: Call): Float64Array | null {
  const found = factors(call);
  if (found === null) return null;
  const { output } = referenceAttention({ ...call, returns: undefined });
  const valueDim = output.shape[3] as number;
  return toFloat64(output).map((x, at) => {
    const factor = found[Math.floor(at / valueDim)] as number;
    // A row without keys is 0 whatever it is divided by.
    return x === 0 ? 0 : x * factor;
  });
}

function rowsOf(call: Call): Row[] {
  const [, heads, queries] = call.query.shape as [number, number, number];
  const { sinks } = bindHeadValues(call);
  const returns = { weights: true, logSumExp: true };
  const bare = referenceAttention({ ...call, sinks: undefined, returns });
  const weights = toFloat64(bare.weights as HostTensor);
  const keyLength = call.key.shape[2] as number;
  return Array.from(toFloat64(bare.logSumExp as HostTensor), (keys, row) => {
    const own = weights.subarray(row * keyLength, (row + 1) * keyLength);
    const max = keys + Math.log(own.reduce((a, b) => Math.max(a, b), 0));
    const sink = sinks?.[Math.floor(row / queries) % heads] ?? Number.NEGATIVE_INFINITY;
    return { keys, max, most: Math.max(max, sink), sink };
  });
}

function logSumExp(call: Call): Float64Array {
  const { logSumExp: sums } = referenceAttention({ ...call, returns: { logSumExp: true } });
  return toFloat64(sums as HostTensor);
}

/** ln(exp(a) + exp(b)). */
function logSum(a: number, b: number): number {
  const max = Math.max(a, b);
  return max === Number.NEGATIVE_INFINITY
    ? max
    : max + Math.log(Math.exp(a - max) + Math.exp(b - max));
}
