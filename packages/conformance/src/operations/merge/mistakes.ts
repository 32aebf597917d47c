import {
  fromFloat64,
  type HostTensor,
  type MergeOutputs,
  merge,
  roundTo,
  statisticsDType,
  toFloat64,
} from "@heed/core";
import type { StepMistake } from "../../run/step-mistakes.js";
import type { MergeCall } from "./build.js";

/** One part of one row, as a weight is made from it. */
interface Weighed {
  /** exp(log-sum-exp − maximum). */
  readonly numerator: number;
  /** Sum of the numerators. */
  readonly sum: number;
  readonly lse: number;
  /** The merged log-sum-exp. */
  readonly total: number;
  readonly parts: number;
}

const { NEGATIVE_INFINITY } = Number;

/** Merging in steps that a mistake can replace. As they stand they are right. */
export const mergeSteps = {
  /** Whether a part is merged at all. */
  takes: (_p: number, _parts: number): boolean => true,
  /** Row of the log-sum-exps that stands beside a row of the outputs. */
  row: (row: number): number => row,
  /** Maximum that is subtracted from the log-sum-exp of part `p`; that of the last part is added again. */
  maximum: (lses: readonly number[], _p: number): number => Math.max(...lses),
  /** @param difference log-sum-exp − maximum */
  numerator: (difference: number): number => Math.exp(difference),
  weight: ({ numerator, sum }: Weighed): number => numerator / sum,
  /** A part's share of an element. */
  term: (weight: number, x: number, lse: number): number =>
    lse === NEGATIVE_INFINITY ? 0 : weight * x,
  total: (maximum: number, logarithm: number): number => maximum + logarithm,
  logarithm: (sum: number): number => Math.log(sum),
  /** An element of a row without keys, in which the first part has `x`. */
  emptyOutput: (_x: number): number => 0,
  emptyTotal: (): number => NEGATIVE_INFINITY,
  /** Elements of a row that are computed; the others are 0. */
  columns: (valueDim: number): number => valueDim,
  /** Whether sums of outputs are rounded to the dtype of the outputs at each step. */
  narrow: (): boolean => false,
};

export type MergeSteps = typeof mergeSteps;

export type MergeMistake = StepMistake<MergeSteps>;

/**
 * Computes a call in the arithmetic of its accumulators, each operation rounded, with some steps
 * replaced. Without any it is the naive evaluation that budgets are derived from.
 */
export function mergeWith(
  call: MergeCall,
  replaced: Partial<MergeSteps>,
): MergeOutputs<HostTensor> {
  const { parts, rows, valueDim, dtype, shape } = merge.describe(call);
  const statistics = statisticsDType(dtype);
  const f = (x: number): number => roundTo(statistics, x);
  const s = { ...mergeSteps, ...replaced };
  const narrowed = s.narrow() ? (x: number): number => roundTo(dtype, x) : f;
  const values = call.parts.map(({ output }) => toFloat64(output));
  const lses = call.parts.map(({ logSumExp }) => toFloat64(logSumExp).map(f));
  const output = new Float64Array(rows * valueDim);
  const logSumExp = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const taken = lses
      .map((lse, p) => ({ lse: lse[s.row(row)] as number, values: values[p] as Float64Array }))
      .filter((_, p) => s.takes(p, parts));
    const own = taken.map(({ lse }) => lse);
    const columns = s.columns(valueDim);
    const maximum = f(s.maximum(own, own.length - 1));
    if (maximum === NEGATIVE_INFINITY) {
      for (let at = row * valueDim; at < row * valueDim + columns; at++) {
        output[at] = s.emptyOutput(values[0]?.[at] as number);
      }
      logSumExp[row] = s.emptyTotal();
      continue;
    }
    const numerators = own.map((lse, p) => f(s.numerator(f(lse - f(s.maximum(own, p))))));
    const sum = numerators.reduce((a, x) => f(a + x), 0);
    const total = f(s.total(maximum, f(s.logarithm(sum))));
    logSumExp[row] = total;
    for (const [p, part] of taken.entries()) {
      const { lse } = part;
      const weight = f(s.weight({ numerator: numerators[p] as number, sum, lse, total, parts }));
      for (let at = row * valueDim; at < row * valueDim + columns; at++) {
        const term = f(s.term(weight, part.values[at] as number, lse));
        output[at] = narrowed((output[at] as number) + term);
      }
    }
  }
  return {
    output: fromFloat64(output, [...shape, valueDim], dtype),
    logSumExp: fromFloat64(logSumExp, shape, statistics),
  };
}

/** Mistakes in what is read and in how it is weighed. */
const weighing: readonly MergeMistake[] = [
  { name: "the last part is skipped", steps: { takes: (p, parts) => p < Math.max(1, parts - 1) } },
  { name: "the first part is skipped", steps: { takes: (p, parts) => p > 0 || parts === 1 } },
  { name: "only the first two parts are merged", steps: { takes: (p) => p < 2 } },
  {
    name: "parts past the last whole group of 4 are skipped",
    steps: { takes: (p, parts) => parts < 4 || p < parts - (parts % 4) },
  },
  { name: "each row has the log-sum-exp of row 0", steps: { row: () => 0 } },
  {
    name: "each row has the log-sum-exp of the row before it",
    steps: { row: (row) => Math.max(0, row - 1) },
  },
  { name: "weights are not normalised", steps: { weight: ({ numerator }) => numerator } },
  { name: "all parts weigh the same", steps: { weight: ({ parts }) => 1 / parts } },
  {
    name: "the output is that of the part with the largest log-sum-exp",
    steps: { weight: ({ numerator }) => (numerator === 1 ? 1 : 0) },
  },
  {
    name: "weights come from the rounded log-sum-exp",
    steps: { weight: ({ lse, total }) => Math.exp(lse - total) },
  },
  { name: "log-sum-exps are taken to base 2", steps: { numerator: (x) => 2 ** x } },
  {
    name: "elements past the last whole vector of 4 are left as they are",
    steps: { columns: (valueDim) => valueDim - (valueDim % 4) },
  },
  {
    name: "the last element of each row is skipped",
    steps: { columns: (valueDim) => valueDim - 1 },
  },
  { name: "sums are rounded to float16 at each step", steps: { narrow: () => true } },
];

/** Mistakes in what is subtracted before, and added after. */
const shifting: readonly MergeMistake[] = [
  {
    name: "the maximum is that of the first two parts",
    steps: { maximum: (lses) => Math.max(...lses.slice(0, 2)) },
  },
  {
    name: "the first part's log-sum-exp stands for the maximum",
    steps: { maximum: ([first = 0]) => first },
  },
  { name: "the maximum is not subtracted", steps: { maximum: () => 0 } },
  { name: "the maximum is at least 0", steps: { maximum: (lses) => Math.max(0, ...lses) } },
  {
    name: "the running maximum starts at −10³⁰",
    steps: { maximum: (lses) => Math.max(-1e30, ...lses) },
  },
  {
    name: "sums are not rescaled where a later part raises the maximum",
    steps: { maximum: (lses, p) => Math.max(...lses.slice(0, p + 1)) },
  },
  { name: "the log-sum-exp is that of the largest part", steps: { total: (maximum) => maximum } },
  { name: "the log-sum-exp forgets the maximum", steps: { total: (_, logarithm) => logarithm } },
  { name: "the logarithm is to base 2", steps: { logarithm: (sum) => Math.log2(sum) } },
  {
    name: "the log-sum-exp is in base 2",
    steps: { total: (maximum, logarithm) => (maximum + logarithm) / Math.LN2 },
  },
];

/** Mistakes in what is not there, or is no number. */
const absent: readonly MergeMistake[] = [
  {
    name: "an empty part's output is multiplied by 0",
    steps: { term: (weight, x) => weight * x },
  },
  {
    name: "a part whose weight vanishes is skipped",
    steps: { term: (weight, x) => (weight === 0 ? 0 : weight * x) },
  },
  {
    name: "NaN in an output counts as 0",
    steps: {
      term: (weight, x, lse) => (Number.isNaN(x) ? 0 : mergeSteps.term(weight, x, lse)),
    },
  },
  {
    name: "a log-sum-exp of NaN counts as one of no key",
    steps: {
      maximum: (lses) => Math.max(...lses.filter((x) => !Number.isNaN(x))),
      numerator: (x) => (Number.isNaN(x) ? 0 : Math.exp(x)),
    },
  },
  {
    name: "a row without keys gives NaN",
    steps: { emptyOutput: () => Number.NaN, emptyTotal: () => Number.NaN },
  },
  { name: "a row without keys keeps the first part's output", steps: { emptyOutput: (x) => x } },
  { name: "a row without keys has a log-sum-exp of 0", steps: { emptyTotal: () => 0 } },
  {
    name: "a row without keys has the lowest float32 as its log-sum-exp",
    steps: { emptyTotal: () => -3.4028234663852886e38 },
  },
];

export const mergeMistakes: readonly MergeMistake[] = [...weighing, ...shifting, ...absent];
