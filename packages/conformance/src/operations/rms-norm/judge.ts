import {
  type BoundRmsNorm,
  type HostTensor,
  type RmsNormOutputs,
  rmsNorm,
  statisticsDType,
  toFloat64,
} from "@heed/core";
import type { Arithmetic } from "../../judge/arithmetic.js";
import { judgeElements } from "../../judge/elements.js";
import { formViolations } from "../../judge/form.js";
import { unitRoundoff } from "../../judge/roundoff.js";
import { summarise, type Verdict } from "../../judge/verdict.js";
import type { JudgedOperation } from "../../run/check-call.js";
import { knownMistakes } from "../../run/step-mistakes.js";
import type { RmsNormCall } from "./build.js";
import { normaliseWith, rmsNormMistakes } from "./mistakes.js";

export type Normalised = RmsNormOutputs<HostTensor>;

/**
 * Roundings after the sum: mean, epsilon, root, division, product, and what a GPU may be off beyond them, whose
 * division and inverse root are exact to 2.5 and 2 units in the last place (WGSL, accuracy of built-in functions).
 */
const lastRoundings = 16;

/**
 * Judges a call's output against float64. The squares are positive: their sum, in whatever order, has a relative
 * error of at most size · u, with u the unit roundoff of the arithmetic (Higham, Accuracy and Stability of Numerical
 * Algorithms, section 4.2), of which the root keeps half. float16 is computed in float32 and rounded once. What is
 * off by a relative error is lost for tiny numbers alone, whose spacing is added.
 *
 * @param recorded what to compare with; default the reference
 */
function judgeRmsNorm(
  call: RmsNormCall,
  outputs: Normalised,
  arithmetic: Arithmetic,
  recorded?: Normalised,
): Verdict {
  const problem = rmsNorm.describe(call);
  const bound = rmsNorm.bind(problem, call) as BoundRmsNorm<HostTensor>;
  const { size, dtype } = problem;
  const violations = formViolations(rmsNorm, problem, outputs);
  if (violations.length > 0) return summarise([], violations);
  const expected = toFloat64((recorded ?? rmsNorm.reference(bound)).output as HostTensor);
  const weight = toFloat64(bound.weight);
  const computed = statisticsDType(dtype);
  const relative = (size / 2 + lastRoundings) * unitRoundoff[computed];
  const last = dtype === computed ? 0 : unitRoundoff[dtype];
  // If squares are too small for float32, the mean square is off by epsilon's own rounding alone.
  return judgeElements(
    outputs.output,
    expected,
    arithmetic,
    (at) =>
      1.01 * (relative + last) * Math.abs(expected[at] as number) +
      2 * arithmetic.tiny[dtype] * (1 + Math.abs(weight[at % size] as number)),
  );
}

/** Root mean square normalisation as the cases see it. */
export const judgedRmsNorm: JudgedOperation<RmsNormCall, Normalised> = {
  operation: rmsNorm,
  judge: judgeRmsNorm,
  ...knownMistakes(rmsNormMistakes, (call: RmsNormCall, steps) => ({
    output: normaliseWith(call, steps),
  })),
};
