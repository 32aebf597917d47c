import {
  type AttentionOutputs,
  describeProblem,
  type HostTensor,
  referenceAttention,
  toFloat64,
} from "@heed/core";
import { bandsOf, isInBand } from "./bands.js";
import { type Call, type Mistake, type Statistic, stepMistake, type Use } from "./mistake.js";
import { steps } from "./steps.js";

function returned(call: Call, returns: NonNullable<Call["returns"]>): AttentionOutputs<HostTensor> {
  return referenceAttention({ ...call, returns });
}

function logSumExp(call: Call): Float64Array {
  return toFloat64(returned(call, { logSumExp: true }).logSumExp as HostTensor);
}

const scoreKinds = ["raw", "capped", "biased"] as const;

function rightScores(call: Call): Float64Array {
  const { returns } = describeProblem(call);
  return toFloat64(returned(call, { scores: returns.scores || "raw" }).scores as HostTensor);
}

/** A row's largest logit: that of its largest weight. */
function largestLogits(call: Call): Float64Array {
  const { weights, logSumExp: sums } = returned(call, { weights: true, logSumExp: true });
  const keys = call.key.shape[2] as number;
  const w = toFloat64(weights as HostTensor);
  return toFloat64(sums as HostTensor).map((lse, row) =>
    keys === 0 ? lse : lse + Math.log(Math.max(...w.subarray(row * keys, (row + 1) * keys))),
  );
}

function beside(
  name: string,
  of: Statistic,
  make: (call: Call) => Float64Array | null,
  use: Use = {},
): Mistake {
  return { name, semantics: { kind: "returned", of, make }, ...use };
}

/** Mistakes of which the output shows nothing: in what is returned beside it. */
export const returnedMistakes: readonly Mistake[] = [
  beside(
    "the log-sum-exp is in base 2",
    "logSumExp",
    (call) => logSumExp(call).map((x) => x / Math.LN2),
    { sentence: "the log-sum-exp is a logarithm to base 2", mutant: "core" },
  ),
  beside(
    "the log-sum-exp forgets the maximum",
    "logSumExp",
    (call) => {
      const largest = largestLogits(call);
      return logSumExp(call).map((x, row) =>
        Number.isFinite(x) ? x - (largest[row] as number) : x,
      );
    },
    {
      sentence: "the log-sum-exp lacks the maximum: it is the logarithm of the sum alone",
      mutant: "core",
    },
  ),
  beside("the log-sum-exp is the maximum alone", "logSumExp", largestLogits),
  beside("the log-sum-exp lacks the sink", "logSumExp", (call) =>
    call.sinks ? logSumExp({ ...call, sinks: undefined }) : null,
  ),
  beside("weights are not divided by their sum", "weights", (call) => {
    const largest = largestLogits(call);
    const { weights, logSumExp: sums } = returned(call, { weights: true, logSumExp: true });
    const lse = toFloat64(sums as HostTensor);
    const keys = call.key.shape[2] as number;
    return toFloat64(weights as HostTensor).map((w, at) => {
      const row = Math.floor(at / keys);
      return w === 0 ? 0 : w * Math.exp((lse[row] as number) - (largest[row] as number));
    });
  }),
  beside("weights lack the sink", "weights", (call) =>
    call.sinks
      ? toFloat64(returned({ ...call, sinks: undefined }, { weights: true }).weights as HostTensor)
      : null,
  ),
  ...scoreKinds.map((kind) =>
    beside(
      kind === "raw"
        ? "raw scores are returned where capped ones are wanted"
        : `scores are ${kind} ones, whatever is asked for`,
      "scores",
      (call) => toFloat64(returned(call, { scores: kind }).scores as HostTensor),
      kind === "raw"
        ? { sentence: "scores are raw ones, whatever is asked for", mutant: "core" }
        : {},
    ),
  ),
  beside("scores of keys that causal, window or lengths hide are left at 0", "scores", (call) => {
    const keys = call.key.shape[2] as number;
    const bandOf = bandsOf(call);
    return rightScores(call).map((s, at) =>
      isInBand(bandOf(Math.floor(at / keys)), at % keys) ? s : 0,
    );
  }),
  beside("scores of all hidden keys are left at 0", "scores", (call) => {
    const weights = toFloat64(returned(call, { weights: true }).weights as HostTensor);
    return rightScores(call).map((s, at) => (weights[at] === 0 ? 0 : s));
  }),
  beside("scores are returned without their scale", "scores", (call) => {
    const { returns, scale } = describeProblem(call);
    if (returns.scores !== "raw" || scale === 1 || scale === 0) return null;
    return toFloat64(returned(call, { scores: "raw" }).scores as HostTensor).map((s) => s / scale);
  }),
  stepMistake("biased scores lack ALiBi", "pairs", {
    score: (raw, capped, biased, call) =>
      call.problem.alibi && call.problem.returns.scores === "biased"
        ? capped
        : steps.score(raw, capped, biased, call),
  }),
];
