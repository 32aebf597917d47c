import type { AttentionInputs, FloatDType } from "@heed/core";
import type { Arithmetic } from "../../../judge/arithmetic.js";
import type { OutputName } from "../../../judge/verdict.js";
import { hullAllowance, sumAllowance } from "./allowance.js";
import { logitNotFinite } from "./flags.js";
import type { NaiveEvaluation } from "./naive.js";
import { leniencyOf } from "./not-finite.js";

/**
 * The rules that hold however logits are rounded: nothing is NaN but where NaN or +∞ is seen; a row without keys gives 0, and a
 * log-sum-exp of −∞; hidden keys weigh exactly 0; weights are at least 0 and sum to 1, or to less
 * beside a sink; an output lies between the smallest and the largest value that its row sees.
 *
 * If every key of a row has a bias of −3.4·10³⁸, nothing else is required of it: a score added to that
 * is lost in rounding, or kept if the bias's maximum is subtracted first, so that any weights may result.
 */
export function ruleViolations(
  name: OutputName,
  got: Float64Array,
  dtype: FloatDType,
  naive: NaiveEvaluation,
  inputs: AttentionInputs,
  arithmetic: Arithmetic,
): string[] {
  const found: string[] = [];
  const lenient = leniencyOf(name, naive, arithmetic);
  const rowSize = got.length / Math.max(1, naive.seesAny.length);
  const rowOf = (at: number): number => Math.floor(at / rowSize);
  const nan = got.findIndex((x, at) => Number.isNaN(x) && lenient(rowOf(at), at) === "none");
  if (nan >= 0) found.push(`${name} has NaN, first at flat index ${nan}`);
  if (name === "output") {
    const broken = emptyRow(got, naive) ?? outsideHull(got, dtype, naive, arithmetic);
    if (broken !== null) found.push(broken);
  }
  if (name === "logSumExp" && inputs.sinks === undefined) {
    const row = naive.seesAny.findIndex(
      (sees, r) => sees === 0 && got[r] !== Number.NEGATIVE_INFINITY,
    );
    if (row >= 0) found.push(`logSumExp is not −∞ in row ${row}, which sees no key`);
  }
  if (name === "weights" && naive.visible) {
    const { keyLength } = naive.problem;
    const at = naive.visible.findIndex(
      (visible, i) => visible === 0 && got[i] !== 0 && naive.notFinite[rowOf(i)] === 0,
    );
    if (at >= 0) {
      const [row, key] = [Math.floor(at / keyLength), at % keyLength];
      found.push(`weights is not 0 at hidden key ${key} of row ${row}`);
    }
    const broken = wrongSum(got, dtype, naive, arithmetic);
    if (broken !== null) found.push(broken);
  }
  return found;
}

function emptyRow(
  got: Float64Array,
  { problem: { valueDim }, seesAny }: NaiveEvaluation,
): string | null {
  const row = seesAny.findIndex(
    (sees, r) => sees === 0 && got.subarray(r * valueDim, (r + 1) * valueDim).some((x) => x !== 0),
  );
  return row < 0 ? null : `output is not 0 in row ${row}, which sees no key`;
}

function outsideHull(
  got: Float64Array,
  dtype: FloatDType,
  naive: NaiveEvaluation,
  arithmetic: Arithmetic,
): string | null {
  const { valueDim } = naive.problem;
  const { lowestValue, highestValue } = naive;
  for (let at = 0; at < got.length; at++) {
    const x = got[at] as number;
    const low = lowestValue[at] as number;
    const high = highestValue[at] as number;
    if (x >= low && x <= high) continue;
    const row = Math.floor(at / valueDim);
    // A sum beyond the dtype's range may overflow.
    if (naive.seesAny[row] === 0 || Number.isNaN(x) || !Number.isFinite(naive.output[at])) continue;
    if (naive.notFinite[row] !== 0) continue;
    const more = hullAllowance(row, naive, dtype, arithmetic);
    if (x >= low - more && x <= high + more) continue;
    return `output of row ${row} is not between the values that it sees: ${x} in column ${at % valueDim}, where they are from ${low} to ${high}`;
  }
  return null;
}

function wrongSum(
  got: Float64Array,
  dtype: FloatDType,
  naive: NaiveEvaluation,
  { tiny }: Arithmetic,
): string | null {
  const { keyLength, sinks } = naive.problem;
  const more = sumAllowance(naive) + keyLength * tiny[dtype];
  for (const [row, sees] of naive.seesAny.entries()) {
    if (((naive.notFinite[row] as number) & logitNotFinite) !== 0) continue;
    const weights = got.subarray(row * keyLength, (row + 1) * keyLength);
    const negative = weights.findIndex((weight) => weight < 0);
    if (negative >= 0) return `weights of row ${row} are negative at key ${negative}`;
    const sum = weights.reduce((a, b) => a + b, 0);
    if (sees && (sum > 1 + more || (!sinks && sum < 1 - more))) {
      return `weights of row ${row} sum to ${sum}`;
    }
  }
  return null;
}
