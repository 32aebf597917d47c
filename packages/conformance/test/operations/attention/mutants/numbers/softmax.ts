import { steps } from "../attention.js";
import { lowest, type NumberMutant } from "./mutant.js";

/** Steps 5 and 6: the softmax, sinks, and what is returned. */
export const softmaxMutants: readonly NumberMutant[] = [
  // 5. Softmax.
  {
    name: "a row whose every bias is the lowest float32 gives NaN",
    profile: "masks",
    steps: { max: (max) => (max <= lowest && Number.isFinite(max) ? Number.NaN : max) },
  },
  {
    name: "the running maximum starts at −10³⁰",
    profile: "masks",
    steps: { max: (max) => (max === Number.NEGATIVE_INFINITY ? max : Math.max(max, -1e30)) },
  },
  {
    name: "weights come from the rounded log-sum-exp",
    profile: "masks",
    steps: {
      weight: (logit, max, sum) => Math.exp(logit - Math.fround(max + Math.log(sum))),
    },
  },
  {
    name: "the sink is scaled",
    profile: "masks",
    steps: { sink: (place, call) => call.problem.scale * steps.sink(place, call) },
  },
  {
    name: "the sink is capped",
    profile: "masks",
    steps: { sink: (place, call) => steps.capped(steps.sink(place, call), call) },
  },
  {
    name: "sinks are those of the key heads",
    profile: "masks",
    steps: {
      sink: (place, call) => steps.sink({ ...place, h: steps.keyHead(place.h, call) }, call),
    },
  },
  {
    name: "the maximum is not subtracted",
    profile: "numerics",
    steps: { max: (max) => (max === Number.NEGATIVE_INFINITY ? max : 0) },
  },
  {
    name: "a row without keys gives NaN",
    profile: "masks",
    steps: { empty: { output: Number.NaN, logSumExp: Number.NEGATIVE_INFINITY } },
  },
  {
    name: "a row without keys has a log-sum-exp of 0",
    profile: "masks",
    steps: { empty: { output: 0, logSumExp: 0 } },
  },
  // 6. Outputs.
  {
    name: "the log-sum-exp is in base 2",
    profile: "core",
    steps: { logSumExp: (max, sum) => (max + Math.log(sum)) / Math.LN2 },
  },
  {
    name: "the log-sum-exp forgets the maximum",
    profile: "core",
    steps: { logSumExp: (_, sum) => Math.log(sum) },
  },
  {
    name: "raw scores are returned where capped ones are wanted",
    profile: "core",
    steps: {
      score: (raw, capped, biased, call) =>
        call.problem.returns.scores === "capped" ? raw : steps.score(raw, capped, biased, call),
    },
  },
  {
    name: "biased scores lack ALiBi",
    profile: "pairs",
    steps: {
      score: (raw, capped, biased, call) =>
        call.problem.alibi && call.problem.returns.scores === "biased"
          ? capped
          : steps.score(raw, capped, biased, call),
    },
  },
];
