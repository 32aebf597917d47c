import { largestNumber } from "../../../judge/roundoff.js";
import { type Mistake, stepMistake } from "./mistake.js";
import { steps } from "./steps.js";

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
  stepMistake("a logit of NaN hides its key", "numerics", {
    visible: (s, ...where) => s > Number.NEGATIVE_INFINITY && steps.visible(s, ...where),
  }),
  stepMistake("a row whose maximum is +∞ counts as empty", "numerics", {
    max: (max) => (max === Number.POSITIVE_INFINITY ? Number.NEGATIVE_INFINITY : max),
  }),
  stepMistake("a bias of −∞ hides no key whose product is NaN", "numerics", {
    visible: (s) => s !== Number.NEGATIVE_INFINITY,
  }),
  stepMistake("logits are float32 numbers to base 2, which may overflow", "numerics", {
    biased: (s, place, j, call) =>
      Math.fround(steps.biased(s, place, j, call) * Math.LOG2E) / Math.LOG2E,
  }),
  stepMistake("sinks are float32 numbers to base 2, which may overflow", "numerics", {
    sink: (place, call) => Math.fround(steps.sink(place, call) * Math.LOG2E) / Math.LOG2E,
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
