import {
  type AttentionInputs,
  type AttentionOutputs,
  type FloatDType,
  type HostTensor,
  isContiguous,
  referenceAttention,
  statisticsDType,
  toFloat64,
} from "@heed/core";
import { type Arithmetic, ieee754 } from "./arithmetic.js";
import { describeRows } from "./explain/where.js";
import { type NaiveEvaluation, naiveAttention } from "./naive.js";

/** An output's name. */
export type OutputName = "output" | "logSumExp" | "weights" | "scores";

/** Where and by how much an output is worst. */
export interface WorstElement {
  readonly output: string;
  readonly index: readonly number[];
  readonly expected: number;
  readonly got: number;
  /** |got − expected| over what is allowed in this row. */
  readonly budgets: number;
}

export interface Verdict {
  /** The largest error over what was allowed; at most 1 passes. */
  readonly budgets: number;
  /** Σ(got − expected)² / Σ expected², the largest of the outputs'. */
  readonly nmse: number;
  readonly worst: WorstElement | null;
  /** Rules that hold exactly and were broken, each as a sentence. */
  readonly violations: readonly string[];
  /** Where errors are larger than allowed, a phrase for each output: heads, rows. */
  readonly where: readonly string[];
}

/** Unit roundoff of a dtype. */
export const unitRoundoff: Readonly<Record<FloatDType, number>> = {
  float64: 2 ** -53,
  float32: 2 ** -24,
  float16: 2 ** -11,
};

const largest: Readonly<Record<FloatDType, number>> = {
  float64: Number.MAX_VALUE,
  float32: 3.4028234663852886e38,
  float16: 65504,
};

/**
 * Roundings that any evaluation in a dtype makes at the end (a division, a final rounding, the
 * exponential's own error) and that a lucky naive row may not show.
 */
const roundings = 8;

/** Times the error of the naive evaluation that is allowed: three with softcap's two more steps. */
function naiveFactor(inputs: AttentionInputs): number {
  return inputs.softcap ? 3 : 2;
}

/** Expected outputs, in float64. */
export type Expected = Partial<Record<OutputName, HostTensor>>;

/**
 * Judges a call's outputs.
 *
 * A row passes where its largest error is at most twice (with softcap three times) that of
 * {@link naiveAttention} in the same row, plus a floor. The floor is what rounding to the dtype
 * costs: `u · (8 + 2·S)` relative to the row's largest value (or weight), where u is the unit
 * roundoff and S the row's largest |logit|: a logit rounded once moves its weight by u·|logit|, in
 * any evaluation; and for float64 the own error of the oracle. Nothing in it is tuned to a backend.
 *
 * @param expected recorded outputs; default the float64 reference's
 * @param arithmetic of the device that computed them; default IEEE 754's
 */
export function judge(
  inputs: AttentionInputs<HostTensor>,
  outputs: AttentionOutputs<HostTensor>,
  expected: Expected = referenceAttention({
    ...inputs,
    returns: { ...inputs.returns, logSumExp: true },
  }),
  arithmetic: Arithmetic = ieee754,
): Verdict {
  const naive = naiveAttention(inputs);
  const { problem } = naive;
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
    violations.push(...exactViolations(name, values, naive, inputs));
    const want = expected[name];
    if (want === undefined) continue;
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
        factor: naiveFactor(inputs),
        floor: (row) => rowFloor(name, row, naive, outputDType, arithmetic),
      }),
    );
  }
  const where = comparisons
    .filter(({ wrongRows }) => wrongRows.length > 0)
    .map(({ name, wrongRows }) => `${name} is ${describeRows(wrongRows, rows)}`);
  return summarise(comparisons, violations, where);
}

/**
 * The oracle is float64 arithmetic. For float64 it is no better than what it judges, and its own error
 * is allowed too: √n·u for sums of n terms (Higham & Mary, 2019, doi:10.1137/18M1226312), of which the
 * logits' enter through the exponential.
 */
function oracleError({ problem, productMagnitude }: NaiveEvaluation, row: number): number {
  if (problem.dtype !== "float64") return 0;
  const logits = 2 * Math.sqrt(problem.headDim) * (productMagnitude[row] as number);
  return unitRoundoff.float64 * (logits + Math.sqrt(problem.keyLength));
}

/** What is allowed in a row beside the naive evaluation's own error. */
function rowFloor(
  name: OutputName,
  row: number,
  naive: NaiveEvaluation,
  outputDType: FloatDType,
  { tiny }: Arithmetic,
): number {
  const u = unitRoundoff[naive.problem.dtype];
  const logit = naive.logitMagnitude[row] as number;
  const relative = u * (roundings + 2 * logit) + oracleError(naive, row);
  switch (name) {
    case "output":
      // Near 0 each of a row's products is rounded to the spacing of the subnormal numbers, or
      // flushed; values and the result are, once each.
      return (
        relative * (naive.valueMagnitude[row] as number) +
        2 * tiny[outputDType] +
        naive.problem.keyLength * tiny[outputDType === "float64" ? "float64" : "float32"]
      );
    case "logSumExp":
      // A one-hot row's is its largest logit, and that a dot product, whose terms may be summed in
      // any order.
      return (
        relative +
        u * Math.abs(naive.logSumExp[row] as number) +
        u * roundings * (naive.productMagnitude[row] as number)
      );
    case "weights":
      return relative + 2 * tiny[outputDType];
    case "scores":
      return u * (roundings + 2 * logit + roundings * (naive.productMagnitude[row] as number));
  }
}

interface ComparisonInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly rowSize: number;
  readonly dtype: FloatDType;
  readonly got: Float64Array;
  readonly expected: Float64Array;
  readonly naive: Float64Array;
  readonly factor: number;
  readonly floor: (row: number) => number;
}

export interface Comparison {
  readonly worst: WorstElement | null;
  readonly nmse: number;
  /** Rows whose error is larger than allowed. */
  readonly wrongRows: readonly number[];
  readonly name: string;
  readonly shape: readonly number[];
}

/** Compares row by row: see {@link judge}. Beyond the dtype's range ±∞ and the largest value pass. */
export function compareRows(input: ComparisonInput): Comparison {
  const { got, expected, naive, rowSize, factor, dtype } = input;
  let worst: WorstElement | null = null;
  const wrongRows: number[] = [];
  let errorSquares = 0;
  let squares = 0;
  for (let start = 0, row = 0; start < got.length; start += rowSize, row++) {
    let naiveError = 0;
    for (let at = start; at < start + rowSize; at++) {
      naiveError = Math.max(naiveError, distance(naive[at], expected[at], dtype));
    }
    const allowed = factor * finiteOr0(naiveError) + input.floor(row);
    for (let at = start; at < start + rowSize; at++) {
      const error = distance(got[at], expected[at], dtype);
      const budgets = error === 0 ? 0 : error / allowed;
      if (!(budgets <= 1) && wrongRows.at(-1) !== row) wrongRows.push(row);
      if (worst === null || budgets > worst.budgets || Number.isNaN(budgets)) {
        worst = {
          output: input.name,
          index: unravel(at, input.shape),
          expected: expected[at] as number,
          got: got[at] as number,
          budgets: Number.isNaN(budgets) ? Number.POSITIVE_INFINITY : budgets,
        };
      }
      if (Number.isFinite(expected[at])) {
        errorSquares += Number.isFinite(error) ? error * error : Number.POSITIVE_INFINITY;
        squares += (expected[at] as number) ** 2;
      }
    }
  }
  const nmse = errorSquares === 0 ? 0 : errorSquares / squares;
  return { worst, nmse, wrongRows, name: input.name, shape: input.shape };
}

export function summarise(
  comparisons: readonly Pick<Comparison, "worst" | "nmse">[],
  violations: readonly string[],
  where: readonly string[] = [],
): Verdict {
  let worst: WorstElement | null = null;
  let nmse = 0;
  for (const comparison of comparisons) {
    nmse = Math.max(nmse, comparison.nmse);
    if (comparison.worst && (worst === null || comparison.worst.budgets > worst.budgets)) {
      worst = comparison.worst;
    }
  }
  return { budgets: worst?.budgets ?? 0, nmse, worst, violations, where };
}

export function passes(verdict: Verdict): boolean {
  return verdict.budgets <= 1 && verdict.violations.length === 0;
}

function distance(got: unknown, expected: unknown, dtype: FloatDType): number {
  const [a, e] = [got as number, expected as number];
  if (Object.is(a, e) || a === e) return 0;
  const limit = largest[dtype];
  if (Math.abs(e) >= limit && a * Math.sign(e) >= limit) return 0;
  const difference = Math.abs(a - e);
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}

function finiteOr0(x: number): number {
  return Number.isFinite(x) ? x : 0;
}

function unravel(at: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = at;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return index;
}

function formViolation(
  name: string,
  got: HostTensor | undefined,
  shape: readonly number[],
  dtype: FloatDType,
): string | null {
  if (got === undefined) return `${name} is missing`;
  if (got.shape.length !== shape.length || got.shape.some((size, i) => size !== shape[i])) {
    return `${name} has shape [${got.shape.join(", ")}] instead of [${shape.join(", ")}]`;
  }
  if (got.dtype !== dtype) return `${name} is ${got.dtype} instead of ${dtype}`;
  return isContiguous(got) ? null : `${name} is not row-major`;
}

/** The rules that allow no rounding. */
function exactViolations(
  name: OutputName,
  got: Float64Array,
  naive: NaiveEvaluation,
  inputs: AttentionInputs,
): string[] {
  const { valueDim, keyLength } = naive.problem;
  const found: string[] = [];
  const nan = got.findIndex(Number.isNaN);
  if (nan >= 0) found.push(`${name} has NaN, first at flat index ${nan}`);
  if (name === "output") {
    const row = naive.seesAny.findIndex((sees, r) => {
      const values = got.subarray(r * valueDim, (r + 1) * valueDim);
      return sees === 0 && values.some((x) => x !== 0);
    });
    if (row >= 0) found.push(`output is not 0 in row ${row}, which sees no key`);
  }
  if (name === "logSumExp" && inputs.sinks === undefined) {
    const row = naive.seesAny.findIndex(
      (sees, r) => sees === 0 && got[r] !== Number.NEGATIVE_INFINITY,
    );
    if (row >= 0) found.push(`logSumExp is not −∞ in row ${row}, which sees no key`);
  }
  if (name === "weights" && naive.visible) {
    const at = naive.visible.findIndex((visible, i) => visible === 0 && got[i] !== 0);
    if (at >= 0) {
      const [row, key] = [Math.floor(at / keyLength), at % keyLength];
      found.push(`weights is not 0 at hidden key ${key} of row ${row}`);
    }
  }
  return found;
}
