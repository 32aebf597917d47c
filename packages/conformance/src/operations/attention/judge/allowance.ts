import {
  type AttentionInputs,
  type AttentionProblem,
  type FloatDType,
  statisticsDType,
} from "@heed/core";
import type { Arithmetic } from "../../../judge/arithmetic.js";
import { finiteOr0, unitRoundoff } from "../../../judge/roundoff.js";
import type { OutputName } from "../../../judge/verdict.js";
import type { NaiveEvaluation } from "./naive.js";

/**
 * Roundings that any evaluation in a dtype makes at the end (a division, a final rounding, the
 * exponential's own error) and that a lucky naive row may not show.
 */
const roundings = 8;

/**
 * How many times the naive evaluation's error is allowed: twice, and three times with softcap or a score
 * program, which add steps.
 */
export function naiveFactor(inputs: AttentionInputs): number {
  return inputs.softcap || inputs.scoreMod ? 3 : 2;
}

/**
 * Largest error of softcap's tanh: implementations that compose it of exponentials round at the scale
 * of the cap, however small its argument.
 */
export function cappingError({ dtype, softcap }: AttentionProblem): number {
  return roundings * unitRoundoff[dtype] * (softcap ?? 0);
}

/**
 * The error that an element is allowed in addition to the naive evaluation's own error, which can be
 * small in a row by luck. With u the unit roundoff of the inputs' dtype, a that of the accumulators, n
 * keys, D the head size, V a row's largest |value|, and P its largest Σ|scale·q·k|:
 *
 * - A logit that is rounded once is off by at most δ ({@link NaiveEvaluation.logitRounding}); a weight
 *   is exp(logit − log-sum-exp), where both are, and so is off by the factor exp(2δ) ≈ 1 + 2δ.
 *   With the roundings at the end, weights are off by r = 8u + 2δ relatively, and outputs by r·V.
 * - A dot product is off by (√D + 2)·u·P: its terms may be summed in any order, √D·u·P by the
 *   probabilistic bound for sums (Higham & Mary, 2019, doi:10.1137/18M1226312), and product and scale
 *   round once each. In an output many logits average that out, and the naive evaluation shows it; a
 *   score is one dot product, and the log-sum-exp of a one-hot row is: there it is allowed.
 * - A score is rounded to its own magnitude, twice with bias or ALiBi; tanh may come from
 *   exponentials, whose roundings do not shrink with its argument: 8u·softcap.
 * - The oracle is float64 arithmetic. For float64 it is no better than what it judges, and its own
 *   error is allowed too: that of 2 dot products in the exponent, and √n·u for the sums over keys.
 * - Near 0 numbers are rounded to the spacing of the subnormal ones, or flushed (`tiny`): a result
 *   once, and so is each of the n products in an output.
 *
 * Nothing in it is tuned to a backend.
 */
export function allowance(
  name: OutputName,
  row: number,
  expected: number,
  naive: NaiveEvaluation,
  outputDType: FloatDType,
  { tiny }: Arithmetic,
): number {
  const { dtype, headDim, keyLength } = naive.problem;
  const u = unitRoundoff[dtype];
  const products = naive.productMagnitude[row] as number;
  const oracle =
    dtype === "float64" ? u * (2 * Math.sqrt(headDim) * products + Math.sqrt(keyLength)) : 0;
  const relative = roundings * u + 2 * (naive.logitRounding[row] as number) + oracle;
  const dot = (Math.sqrt(headDim) + 2) * u * products;
  switch (name) {
    case "output":
      return (
        relative * (naive.valueMagnitude[row] as number) +
        2 * tiny[outputDType] +
        keyLength * tiny[statisticsDType(dtype)]
      );
    case "logSumExp":
      // A naive evaluation that overflowed says nothing about the size.
      return (
        relative +
        dot +
        u * Math.abs(finiteOr0(naive.logSumExp[row] as number) || finiteOr0(expected))
      );
    case "weights":
      return relative + 2 * tiny[outputDType];
    case "scores":
      return (
        dot +
        2 * u * finiteOr0(Math.abs(expected)) +
        cappingError(naive.problem) +
        2 * tiny[outputDType]
      );
  }
}

/** How far a convex combination of n values of at most V may leave their hull: see `rules.ts`. */
export function hullAllowance(
  row: number,
  naive: NaiveEvaluation,
  outputDType: FloatDType,
  { tiny }: Arithmetic,
): number {
  const { dtype, keyLength } = naive.problem;
  return (
    sumAllowance(naive) * (naive.valueMagnitude[row] as number) +
    2 * tiny[outputDType] +
    keyLength * tiny[statisticsDType(dtype)]
  );
}

/**
 * By how much a row's weights may miss a sum of 1: each is rounded to its dtype, and a sum of n terms
 * is off by n·a in the numerator and in the denominator, whatever the logits are.
 */
export function sumAllowance({ problem: { dtype, keyLength } }: NaiveEvaluation): number {
  return roundings * unitRoundoff[dtype] + 2 * keyLength * unitRoundoff[statisticsDType(dtype)];
}
