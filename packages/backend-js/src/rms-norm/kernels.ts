import {
  type BoundRmsNorm,
  type HostTensor,
  type Implementation,
  implement,
  type RmsNormOutputs,
  type RmsNormProblem,
  rmsNorm,
  toFloat64,
  writeValues,
  zeros,
} from "@heed/core";
import { packRow } from "../tensor/pack.js";

/** Root mean square normalisation, a vector at a time, in float64 with one rounding at the end. */
export const rmsNormKernels: Implementation<unknown> = implement(rmsNorm, {
  plan: (problem: RmsNormProblem) => ({
    description: {
      kernel: "rms-norm-rows",
      tiles: {},
      workspaceBytes: 16 * problem.size,
      dispatches: 1,
    },
    run: (bound) => normalise(problem, bound as BoundRmsNorm<HostTensor>),
  }),
});

function normalise(
  { shape, size, dtype }: RmsNormProblem,
  { input, weight, epsilon }: BoundRmsNorm<HostTensor>,
): RmsNormOutputs<HostTensor> {
  const output = zeros(dtype, shape);
  const factors = toFloat64(weight);
  const vector: number[] = new Array(size).fill(0.5);
  // Axes that are missing have one place.
  const [batch, heads, rows] = [1, 1, 1, ...shape].slice(-4) as [number, number, number, number];
  const [sb, sh, sr, stride] = [0, 0, 0, ...input.strides].slice(-4) as typeof input.strides &
    [number, number, number, number];
  let at = 0;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let r = 0; r < rows; r++, at += size) {
        packRow(vector, 0, 1, input, input.offset + b * sb + h * sh + r * sr, stride, size);
        let squares = 0;
        for (let i = 0; i < size; i++) squares += (vector[i] as number) * (vector[i] as number);
        const root = Math.sqrt(squares / size + epsilon);
        for (let i = 0; i < size; i++) {
          vector[i] = ((vector[i] as number) / root) * (factors[i] as number);
        }
        writeValues(vector, output.data, at, dtype);
      }
    }
  }
  return { output };
}
