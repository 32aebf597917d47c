import {
  type AttentionOutputs,
  describeProblem,
  type HostTensor,
  referenceAttention,
  toFloat64,
} from "@heed/core";
import { catalogue } from "../mistakes/index.js";
import { type Call, type Semantics, sentenceOf } from "../mistakes/mistake.js";

/**
 * Which known mistakes would give a log-sum-exp, weights or scores that are wrong beside an output that
 * is right.
 */
export function explainStatistics(call: Call, outputs: AttentionOutputs<HostTensor>): string[] {
  const { returns } = describeProblem(call);
  const expected = referenceAttention({
    ...call,
    returns: {
      logSumExp: returns.logSumExp,
      weights: returns.weights,
      ...(returns.scores && { scores: returns.scores }),
    },
  });
  return catalogue().flatMap((mistake) => {
    const { semantics } = mistake;
    const sentence = sentenceOf(mistake);
    if (semantics.kind !== "returned" || sentence === null) return [];
    return gives(semantics, call, outputs, expected) ? [sentence] : [];
  });
}

function gives(
  { of, make }: Extract<Semantics, { kind: "returned" }>,
  call: Call,
  outputs: AttentionOutputs<HostTensor>,
  expected: AttentionOutputs<HostTensor>,
): boolean {
  const [given, wanted] = [outputs[of], expected[of]];
  if (given === undefined || wanted === undefined) return false;
  const [got, right] = [toFloat64(given), toFloat64(wanted)];
  if (close(got, right)) return false;
  const made = make(call);
  return made !== null && close(got, made) && !close(made, right);
}

function close(a: Float64Array, b: Float64Array): boolean {
  return (
    a.length === b.length &&
    a.every((x, at) => {
      const y = b[at] as number;
      return Object.is(x, y) || Math.abs(x - y) <= 1e-3 * Math.max(1e-3, Math.abs(y));
    })
  );
}
