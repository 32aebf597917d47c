import {
  type BoundProjection,
  fromFloat64,
  type HostTensor,
  projection,
  roundTo,
  toFloat64,
} from "@heed/core";
import type { StepMistake } from "../../run/step-mistakes.js";
import type { ProjectionCall } from "./build.js";

type Sizes = Readonly<Record<"rows" | "length" | "inputSize" | "outputSize", number>>;

/** A projection in steps that a mistake can replace. As they stand they are right. */
export const projectionSteps = {
  /** Index of an element of the input. */
  input: (row: number, i: number, { inputSize }: Sizes): number => row * inputSize + i,
  /** Index of an element of the weight. */
  weight: (o: number, i: number, { inputSize }: Sizes): number => o * inputSize + i,
  /** Elements that are summed. */
  terms: ({ inputSize }: Sizes): number => inputSize,
  /** A partial sum. */
  sum: (sum: number): number => sum,
  /** Index of an element of the bias; −1 for none. */
  bias: (o: number, _row: number): number => o,
  finish: (sum: number, bias: number): number => sum + bias,
};

export type ProjectionSteps = typeof projectionSteps;

export type ProjectionMistake = StepMistake<ProjectionSteps>;

/** Computes a call with some steps replaced; elements that a step finds nowhere are NaN. */
export function projectWith(call: ProjectionCall, replaced: Partial<ProjectionSteps>): HostTensor {
  const problem = projection.describe(call);
  const bound = projection.bind(problem, call) as BoundProjection<HostTensor>;
  const s = { ...projectionSteps, ...replaced };
  const { batch, length, inputSize, outputSize, dtype } = problem;
  const sizes: Sizes = { rows: batch * length, length, inputSize, outputSize };
  const [input, weight] = [toFloat64(bound.input), toFloat64(bound.weight)];
  const bias = bound.bias && toFloat64(bound.bias);
  const output = new Float64Array(sizes.rows * outputSize).map((_, at) => {
    const [row, o] = [Math.floor(at / outputSize), at % outputSize];
    let sum = 0;
    for (let i = 0; i < s.terms(sizes); i++) {
      const x = input[s.input(row, i, sizes)] ?? Number.NaN;
      sum = s.sum(sum + x * (weight[s.weight(o, i, sizes)] ?? Number.NaN));
    }
    const b = s.bias(o, row);
    return bias && b >= 0 ? s.finish(sum, bias[b] ?? Number.NaN) : sum;
  });
  return fromFloat64(output, [batch, length, outputSize], dtype);
}

export const projectionMistakes: readonly ProjectionMistake[] = [
  {
    name: "the weight is read as if it lay [in, out]",
    steps: { weight: (o, i, { outputSize }) => i * outputSize + o },
  },
  { name: "the bias is left out", steps: { bias: () => -1 } },
  { name: "the bias is subtracted", steps: { finish: (sum, bias) => sum - bias } },
  {
    name: "the bias is that of the row's number",
    steps: { bias: (o, row) => (row === 0 ? o : Math.max(0, o - 1)) },
  },
  {
    name: "elements past the last whole vector of 4 are left out",
    steps: { terms: ({ inputSize }) => inputSize - (inputSize % 4) },
  },
  {
    name: "the last element of a row is left out",
    steps: { terms: ({ inputSize }) => Math.max(0, inputSize - 1) },
  },
  {
    name: "every batch entry is the first",
    steps: { input: (row, i, { length, inputSize }) => (row % length) * inputSize + i },
  },
  {
    name: "sums are rounded to float16",
    steps: { sum: (sum) => roundTo("float16", sum) },
  },
];
