import {
  type AttentionInputs,
  type AttentionOutputs,
  describeProblem,
  type HostTensor,
  referenceAttention,
  toFloat64,
} from "@heed/core";
import { bandsOf, isInBand } from "./bands.js";

type Call = AttentionInputs<HostTensor>;

/** A mistake of which the output shows nothing: in what is returned beside it. */
interface Mistake {
  readonly name: string;
  readonly of: "logSumExp" | "weights" | "scores";
  readonly make: (call: Call) => Float64Array | null;
}

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

const mistakes: readonly Mistake[] = [
  {
    name: "the log-sum-exp is a logarithm to base 2",
    of: "logSumExp",
    make: (call) => logSumExp(call).map((x) => x / Math.LN2),
  },
  {
    name: "the log-sum-exp lacks the maximum: it is the logarithm of the sum alone",
    of: "logSumExp",
    make: (call) => {
      const largest = largestLogits(call);
      return logSumExp(call).map((x, row) =>
        Number.isFinite(x) ? x - (largest[row] as number) : x,
      );
    },
  },
  {
    name: "the log-sum-exp is the maximum alone",
    of: "logSumExp",
    make: largestLogits,
  },
  {
    name: "the log-sum-exp lacks the sink",
    of: "logSumExp",
    make: (call) => (call.sinks ? logSumExp({ ...call, sinks: undefined }) : null),
  },
  {
    name: "weights are not divided by their sum",
    of: "weights",
    make: (call) => {
      const largest = largestLogits(call);
      const { weights, logSumExp: sums } = returned(call, { weights: true, logSumExp: true });
      const lse = toFloat64(sums as HostTensor);
      const keys = call.key.shape[2] as number;
      return toFloat64(weights as HostTensor).map((w, at) => {
        const row = Math.floor(at / keys);
        return w === 0 ? 0 : w * Math.exp((lse[row] as number) - (largest[row] as number));
      });
    },
  },
  {
    name: "weights lack the sink",
    of: "weights",
    make: (call) =>
      call.sinks
        ? toFloat64(
            returned({ ...call, sinks: undefined }, { weights: true }).weights as HostTensor,
          )
        : null,
  },
  ...scoreKinds.map(
    (kind): Mistake => ({
      name: `scores are ${kind} ones, whatever is asked for`,
      of: "scores",
      make: (call) => toFloat64(returned(call, { scores: kind }).scores as HostTensor),
    }),
  ),
  {
    name: "scores of keys that causal, window or kvLengths hide are left at 0",
    of: "scores",
    make: (call) => {
      const keys = call.key.shape[2] as number;
      const bandOf = bandsOf(call);
      return rightScores(call).map((s, at) =>
        isInBand(bandOf(Math.floor(at / keys)), at % keys) ? s : 0,
      );
    },
  },
  {
    name: "scores of all hidden keys are left at 0",
    of: "scores",
    make: (call) => {
      const weights = toFloat64(returned(call, { weights: true }).weights as HostTensor);
      return rightScores(call).map((s, at) => (weights[at] === 0 ? 0 : s));
    },
  },
  {
    name: "scores are returned without their scale",
    of: "scores",
    make: (call) => {
      const { returns, scale } = describeProblem(call);
      if (returns.scores !== "raw" || scale === 1 || scale === 0) return null;
      return toFloat64(returned(call, { scores: "raw" }).scores as HostTensor).map(
        (s) => s / scale,
      );
    },
  },
];

/**
 * Which known mistakes would give a log-sum-exp, weights or scores that are wrong beside an output that
 * is right.
 */
export function explainStatistics(call: Call, outputs: AttentionOutputs<HostTensor>): string[] {
  const { returns } = describeProblem(call);
  const expected = returned(call, {
    logSumExp: returns.logSumExp,
    weights: returns.weights,
    ...(returns.scores && { scores: returns.scores }),
  });
  return mistakes
    .filter(({ of, make }) => {
      const [given, wanted] = [outputs[of], expected[of]];
      if (given === undefined || wanted === undefined) return false;
      const [got, right] = [toFloat64(given), toFloat64(wanted)];
      if (close(got, right)) return false;
      const made = make(call);
      return made !== null && close(got, made) && !close(made, right);
    })
    .map(({ name }) => name);
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
