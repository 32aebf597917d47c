import {
  type AttentionInputs,
  type AttentionProblem,
  type BoundPositions,
  bindPositions,
  describeProblem,
  type FloatDType,
  type HostTensor,
  referenceAttention,
  roundTo,
  slice,
  statisticsDType,
  toFloat64,
  visibleBand,
} from "@heed/core";

/** What a judge says of an output. */
export interface Verdict {
  /** The worst row's error, where 1 is all that is tolerated; null where it is not even a number. */
  readonly errorInBudgets: number | null;
  /** What is wrong, and where; null if nothing is. */
  readonly wrong: string | null;
}

/** Judges outputs of one call, any number of them. */
export type Judge = (output: HostTensor) => Verdict;

/** Rows looked at: enough to meet every batch and head of the workloads and both ends of a row. */
const sampledRows = 48;

/** One row of the output: what it should be, and how far off it may be. */
interface ExpectedRow {
  readonly at: readonly [batch: number, head: number, query: number];
  readonly values: Float64Array;
  readonly budget: number;
}

/**
 * Computes a sample of the output's rows in float64 and, for each, what is tolerated: twice the error
 * of a naive evaluation in the inputs' dtype (three times with softcap), plus a floor. The tolerance
 * follows the problem.
 *
 * @param inputs without mask, bias, ALiBi or sinks: no workload has them
 */
export function prepareJudge(inputs: AttentionInputs<HostTensor>): Judge {
  const problem = describeProblem(inputs);
  const positions = bindPositions(problem, inputs);
  const rows = sampleRows(problem).map((at) => expectRow(problem, inputs, positions, at));
  const shape = [problem.batch, problem.queryHeads, problem.queryLength, problem.valueDim];
  return (output) => {
    if (String(output.shape) !== String(shape)) {
      const got = `[${output.shape.join(", ")}]`;
      return { errorInBudgets: null, wrong: `its shape is ${got}, not [${shape.join(", ")}]` };
    }
    return judgeRows(output, rows);
  };
}

/** The first row, the last, and others spread by the golden ratio over everything between. */
function sampleRows(p: AttentionProblem): ExpectedRow["at"][] {
  const count = p.batch * p.queryHeads * p.queryLength;
  const chosen = new Set<number>();
  for (let n = 0; n < sampledRows && count > 0; n++) {
    chosen.add(n === 0 ? count - 1 : Math.floor(count * (((n - 1) * 0.6180339887498949) % 1)));
  }
  return [...chosen].map((row) => [
    Math.floor(row / (p.queryHeads * p.queryLength)),
    Math.floor(row / p.queryLength) % p.queryHeads,
    row % p.queryLength,
  ]);
}

function expectRow(
  problem: AttentionProblem,
  inputs: AttentionInputs<HostTensor>,
  { offsets, kvLengths }: BoundPositions,
  at: ExpectedRow["at"],
): ExpectedRow {
  const [b, h, i] = at;
  const kvHead = Math.floor((h * problem.kvHeads) / problem.queryHeads);
  const head = (t: HostTensor, n: number) => slice(slice(t, 0, b, b + 1), 1, n, n + 1);
  const query = slice(head(inputs.query, h), 2, i, i + 1);
  const key = head(inputs.key, kvHead);
  const value = head(inputs.value, kvHead);
  const position = (offsets[b] as number) + i;
  const length = kvLengths[b] as number;
  const call = { ...inputs, query, key, value, queryOffset: position, kvLengths: [length] };
  const values = toFloat64(referenceAttention(call).output);

  const { left, right } = visibleBand(problem);
  const start = Math.max(0, position - left);
  const end = Math.max(start, Math.min(length, position + right + 1));
  const visible = (t: HostTensor) => toFloat64(slice(t, 2, Math.min(start, end), end));
  const naive = naiveRow(problem, toFloat64(query), visible(key), visible(value));
  const magnitude = visible(value).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const factor = problem.softcap === null ? 2 : 3;
  const floor = 4 * epsilon[problem.dtype] * magnitude;
  return { at, values, budget: factor * worstOf(naive, values) + floor };
}

const epsilon: Readonly<Record<FloatDType, number>> = {
  float64: 2 ** -52,
  float32: 2 ** -23,
  float16: 2 ** -10,
};

/** One query's output, unfused, each step rounded to the dtype of the statistics. */
function naiveRow(
  { headDim, valueDim, scale, softcap, dtype }: AttentionProblem,
  query: Float64Array,
  keys: Float64Array,
  values: Float64Array,
): Float64Array {
  const round = (x: number) => roundTo(statisticsDType(dtype), x);
  const count = keys.length / headDim;
  const weights = new Float64Array(count);
  for (let j = 0; j < count; j++) {
    let dot = 0;
    for (let d = 0; d < headDim; d++) {
      dot = round(dot + round((query[d] as number) * (keys[j * headDim + d] as number)));
    }
    const logit = round(dot * scale);
    weights[j] = softcap === null ? logit : round(softcap * round(Math.tanh(logit / softcap)));
  }
  const max = weights.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (let j = 0; j < count; j++) {
    weights[j] = round(Math.exp(round((weights[j] as number) - max)));
    sum = round(sum + (weights[j] as number));
  }
  const output = new Float64Array(valueDim);
  for (let d = 0; d < valueDim; d++) {
    let total = 0;
    for (let j = 0; j < count; j++) {
      const weight = round((weights[j] as number) / sum);
      total = round(total + round(weight * (values[j * valueDim + d] as number)));
    }
    output[d] = roundTo(dtype, total);
  }
  return output;
}

function judgeRows(output: HostTensor, rows: readonly ExpectedRow[]): Verdict {
  let errorInBudgets = 0;
  let wrong: string | null = null;
  for (const { at, values, budget } of rows) {
    const row = at.reduce((t, index, axis) => slice(t, axis, index, index + 1), output);
    const got = toFloat64(row);
    const error = worstOf(got, values);
    const where = `batch ${at[0]}, head ${at[1]}, query ${at[2]}`;
    if (Number.isNaN(error)) return { errorInBudgets: null, wrong: `not a number at ${where}` };
    // Nothing visible gives exactly 0, and so a budget of 0.
    const inBudgets = error === 0 ? 0 : Math.min(error / budget, Number.MAX_VALUE);
    if (inBudgets <= errorInBudgets) continue;
    errorInBudgets = inBudgets;
    const worst = got.findIndex((x, d) => Math.abs(x - (values[d] as number)) === error);
    if (inBudgets > 1)
      wrong = `${got[worst]} instead of ${values[worst]} at ${where}, dim ${worst}`;
  }
  return { errorInBudgets, wrong };
}

/** The largest difference; NaN if there is one. */
function worstOf(got: Float64Array, expected: Float64Array): number {
  let worst = 0;
  for (let d = 0; d < expected.length; d++) {
    const error = Math.abs((got[d] as number) - (expected[d] as number));
    if (Number.isNaN(error)) return error;
    worst = Math.max(worst, error);
  }
  return worst;
}
