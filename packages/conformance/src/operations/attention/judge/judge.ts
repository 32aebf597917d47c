import {
  type AttentionInputs,
  type AttentionOutputs,
  type FloatDType,
  type HostTensor,
  referenceAttention,
  statisticsDType,
  toFloat64,
} from "@heed/core";
import { type Arithmetic, ieee754 } from "../../../judge/arithmetic.js";
import { type Comparison, compareRows } from "../../../judge/compare.js";
import { formViolation } from "../../../judge/form.js";
import { type OutputName, summarise, type Verdict } from "../../../judge/verdict.js";
import { describeRows } from "../../../judge/where.js";
import { allowance, naiveFactor } from "./allowance.js";
import { naiveAttention } from "./naive.js";
import { leniencyOf } from "./not-finite.js";
import { ruleViolations } from "./rules.js";

/** Recorded outputs. */
export type Expected = Partial<Record<OutputName, HostTensor>>;

/**
 * Judges a call's outputs.
 *
 * A row passes where its largest error is at most {@link naiveFactor} times that of
 * {@link naiveAttention} in the same row, plus what rounding to the dtype costs in any evaluation
 * ({@link allowance}), and where the rules hold that no rounding excuses ({@link ruleViolations}).
 *
 * A recording in the calls' own dtype is an evaluation itself, no better than what it judges. It is
 * allowed as much as a backend, and from each other both may be twice as far as from the truth. One in
 * float64 of narrower inputs is taken for the truth, as the reference's is.
 *
 * @param recorded outputs to compare with; default the float64 reference's
 * @param arithmetic of the device that computed them; default IEEE 754's
 */
export function judge(
  inputs: AttentionInputs<HostTensor>,
  outputs: AttentionOutputs<HostTensor>,
  recorded?: Expected,
  arithmetic: Arithmetic = ieee754,
): Verdict {
  const naive = naiveAttention(inputs);
  const { problem } = naive;
  let reference: Expected | undefined;
  const oracle = (): Expected => {
    reference ??= referenceAttention({
      ...inputs,
      returns: { ...inputs.returns, logSumExp: true },
    });
    return reference;
  };
  const { batch, queryHeads, queryLength, keyLength, valueDim, dtype, returns } = problem;
  const rows = [batch, queryHeads, queryLength];
  const wanted: [OutputName, boolean, readonly number[], FloatDType][] = [
    ["output", true, [...rows, valueDim], dtype],
    ["logSumExp", returns.logSumExp, rows, statisticsDType(dtype)],
    ["weights", returns.weights, [...rows, keyLength], dtype],
    ["scores", returns.scores !== null, [...rows, keyLength], dtype],
  ];
  const violations: string[] = [];
  const comparisons: Comparison[] = [];
  for (const [name, asked, shape, outputDType] of wanted) {
    const got = outputs[name];
    if (!asked) {
      if (got !== undefined) violations.push(`${name} was returned but not asked for`);
      continue;
    }
    const problemWith = formViolation(name, got, shape, outputDType);
    if (problemWith !== null || got === undefined) {
      violations.push(problemWith ?? `${name} is missing`);
      continue;
    }
    const values = toFloat64(got);
    violations.push(...ruleViolations(name, values, outputDType, naive, inputs, arithmetic));
    const want = (recorded ?? oracle())[name];
    if (want === undefined) continue;
    const isOracle = !recorded || (want.dtype === "float64" && outputDType !== "float64");
    const times = isOracle ? 1 : 2;
    const rowSize = name === "logSumExp" ? 1 : (shape[3] as number);
    comparisons.push(
      compareRows({
        name,
        shape,
        rowSize,
        dtype: outputDType,
        got: values,
        expected: toFloat64(want),
        naive: naive[name] as Float64Array,
        oracle: toFloat64((isOracle ? want : oracle()[name]) as HostTensor),
        factor: times * naiveFactor(inputs),
        leniency: leniencyOf(name, naive, arithmetic),
        floor: (row, wanted) =>
          times * allowance(name, row, wanted, naive, outputDType, arithmetic),
      }),
    );
  }
  const where = comparisons
    .filter(({ wrongRows }) => wrongRows.length > 0)
    .map(({ name, wrongRows }) => `${name} is ${describeRows(wrongRows, rows)}`);
  return summarise(comparisons, violations, where);
}
