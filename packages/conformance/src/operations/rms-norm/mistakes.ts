import {
  type BoundRmsNorm,
  fromFloat64,
  type HostTensor,
  rmsNorm,
  roundTo,
  toFloat64,
} from "@heed/core";
import type { StepMistake } from "../../run/step-mistakes.js";
import type { RmsNormCall } from "./build.js";

/** Root mean square normalisation in steps that a mistake can replace. As they stand they are right. */
export const rmsNormSteps = {
  /** Elements of a vector that are squared. */
  terms: (size: number): number => size,
  /** Vector whose root divides a vector. */
  rootOf: (row: number): number => row,
  /** The number that is taken away from elements before they are squared. */
  centre: (_mean: number): number => 0,
  /** A partial sum of squares. */
  sum: (sum: number): number => sum,
  root: (squares: number, size: number, epsilon: number): number =>
    Math.sqrt(squares / size + epsilon),
  /** Factor of element i. */
  weight: (weight: Float64Array, i: number, _row: number): number => weight[i] as number,
  epsilon: (epsilon: number): number => epsilon,
};

export type RmsNormSteps = typeof rmsNormSteps;

export type RmsNormMistake = StepMistake<RmsNormSteps>;

/** Computes a call with some steps replaced. */
export function normaliseWith(call: RmsNormCall, replaced: Partial<RmsNormSteps>): HostTensor {
  const bound = rmsNorm.bind(rmsNorm.describe(call), call) as BoundRmsNorm<HostTensor>;
  const s = { ...rmsNormSteps, ...replaced };
  const { shape, rows, size, dtype } = bound.problem;
  const [input, weight] = [toFloat64(bound.input), toFloat64(bound.weight)];
  const epsilon = s.epsilon(bound.epsilon);
  const roots = Float64Array.from({ length: rows }, (_, row) => {
    const vector = input.subarray(row * size, row * size + s.terms(size));
    const centre = s.centre(vector.reduce((sum, x) => sum + x, 0) / size);
    const squares = vector.reduce((sum, x) => s.sum(sum + (x - centre) ** 2), 0);
    return s.root(squares, size, epsilon);
  });
  const output = input.map((x, at) => {
    const row = Math.floor(at / size);
    return (x / (roots[s.rootOf(row)] as number)) * s.weight(weight, at % size, row);
  });
  return fromFloat64(output, shape, dtype);
}

export const rmsNormMistakes: readonly RmsNormMistake[] = [
  { name: "epsilon is left out", steps: { epsilon: () => 0 } },
  { name: "epsilon is always 1e-6", steps: { epsilon: () => 1e-6 } },
  { name: "epsilon is added to the root", steps: { root: (q, n, e) => Math.sqrt(q / n) + e } },
  { name: "epsilon is added to the sum", steps: { root: (q, n, e) => Math.sqrt((q + e) / n) } },
  { name: "squares are summed and not averaged", steps: { root: (q, _, e) => Math.sqrt(q + e) } },
  { name: "the mean square is no root", steps: { root: (q, n, e) => q / n + e } },
  { name: "the mean is subtracted first, as in a layer norm", steps: { centre: (mean) => mean } },
  { name: "the last element is not squared", steps: { terms: (size) => Math.max(0, size - 1) } },
  {
    name: "elements past the last whole vector of 4 are not squared",
    steps: { terms: (size) => size - (size % 4) },
  },
  { name: "every vector is divided by the first one's root", steps: { rootOf: () => 0 } },
  { name: "the weight is left out", steps: { weight: () => 1 } },
  {
    name: "1 is added to the weight, as Gemma's models need",
    steps: { weight: (w, i) => 1 + (w[i] as number) },
  },
  {
    name: "the weight goes on from vector to vector",
    steps: { weight: (w, i, row) => w[(i + row) % w.length] as number },
  },
  { name: "sums are rounded to float16", steps: { sum: (sum) => roundTo("float16", sum) } },
];
