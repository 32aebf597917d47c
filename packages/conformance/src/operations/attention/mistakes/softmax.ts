import { largestNumber } from "../../../judge/roundoff.js";
import { type Mistake, stepMistake } from "./mistake.js";

/** Steps 5 and 6: the softmax, sinks, and what is returned. */
export const softmaxMistakes: readonly Mistake[] = [
  // 5. Softmax.
  stepMistake("a row whose every bias is the lowest float32 gives NaN", "masks", {
    max: (max) => (max <= -largestNumber.float32 && Number.isFinite(max) ? Number.NaN : max),
  }),
  stepMistake("the running maximum starts at −10³⁰", "masks", {
    max: (max) => (max === Number.NEGATIVE_INFINITY ? max : Math.max(max, -1e30)),
  }),
  stepMistake("weights come from the rounded log-sum-exp", "masks", {
    weight: (logit, max, sum) => Math.exp(logit - Math.fround(max + Math.log(sum))),
  }),
  stepMistake("the maximum is not subtracted", "numerics", {
    max: (max) => (max === Number.NEGATIVE_INFINITY ? max : 0),
  }),
  stepMistake("a row without keys gives NaN", "masks", {
    empty: { output: Number.NaN, logSumExp: Number.NEGATIVE_INFINITY },
  }),
  stepMistake("a row without keys has a log-sum-exp of 0", "masks", {
    empty: { output: 0, logSumExp: 0 },
  }),
  // 6. Outputs.
];
