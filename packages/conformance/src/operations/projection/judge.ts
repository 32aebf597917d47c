import {
  type BoundProjection,
  type HostTensor,
  type ProjectionOutputs,
  projection,
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
import type { ProjectionCall } from "./build.js";
import { projectionMistakes, projectWith } from "./mistakes.js";

export type Projected = ProjectionOutputs<HostTensor>;

/**
 * Judges a call's output against float64. A sum of n products and a bias, in whatever order, is off by at
 * most (n + 1)·u·S, with S the sum of the magnitudes and u the unit roundoff of the arithmetic, float32 for
 * float16 (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1); float16 is then rounded
 * once. What is off by a relative error is lost for tiny numbers alone, whose spacing is added.
 *
 * @param recorded what to compare with; default the reference
 */
function judgeProjection(
  call: ProjectionCall,
  outputs: Projected,
  arithmetic: Arithmetic,
  recorded?: Projected,
): Verdict {
  const problem = projection.describe(call);
  const bound = projection.bind(problem, call) as BoundProjection<HostTensor>;
  const { inputSize, dtype } = problem;
  const violations = formViolations(projection, problem, outputs);
  if (violations.length > 0) return summarise([], violations);
  const expected = toFloat64((recorded ?? projection.reference(bound)).output as HostTensor);
  const size = toFloat64(magnitudes(bound).output as HostTensor);
  const computed = statisticsDType(dtype);
  const growth = (inputSize + 1) * unitRoundoff[computed];
  const last = dtype === computed ? 0 : unitRoundoff[dtype];
  const { tiny } = arithmetic;
  return judgeElements(
    outputs.output,
    expected,
    arithmetic,
    (at) =>
      1.01 * (growth * (size[at] as number) + last * Math.abs(expected[at] as number)) +
      2 * tiny[dtype] +
      inputSize * tiny[computed],
  );
}

/** The sum of the magnitudes of all that is added up to an element: the same call, of magnitudes. */
function magnitudes(bound: BoundProjection<HostTensor>): Projected {
  const positive = (t: HostTensor): HostTensor => ({
    dtype: "float64",
    shape: t.shape,
    strides: t.shape.map((_, axis) => t.shape.slice(axis + 1).reduce((a, b) => a * b, 1)),
    offset: 0,
    data: toFloat64(t).map(Math.abs),
  });
  const call = {
    input: positive(bound.input),
    weight: positive(bound.weight),
    ...(bound.bias && { bias: positive(bound.bias) }),
  };
  return projection.reference(projection.bind(projection.describe(call), call)) as Projected;
}

/** A projection as the cases see it. */
export const judgedProjection: JudgedOperation<ProjectionCall, Projected> = {
  operation: projection,
  judge: judgeProjection,
  ...knownMistakes(projectionMistakes, (call: ProjectionCall, steps) => ({
    output: projectWith(call, steps),
  })),
};
