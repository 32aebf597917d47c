import { type HostTensor, zeros } from "../tensor/tensor.js";
import { toFloat64 } from "../tensor/values.js";
import type { MergeOutputs } from "./inputs.js";
import type { BoundMerge } from "./problem.js";

/** Merging in float64, one row at a time: the oracle for backends. */
export function referenceMerge(bound: BoundMerge<HostTensor>): MergeOutputs<HostTensor> {
  const { rows, valueDim, shape } = bound.problem;
  const outputs = bound.outputs.map(toFloat64);
  const lses = bound.logSumExps.map(toFloat64);
  const output = zeros("float64", [...shape, valueDim]);
  const logSumExp = zeros("float64", shape);
  for (let row = 0; row < rows; row++) {
    let max = Number.NEGATIVE_INFINITY;
    for (const lse of lses) max = Math.max(max, lse[row] as number);
    logSumExp.data[row] = max;
    if (max === Number.NEGATIVE_INFINITY) continue;
    let sum = 0;
    for (const lse of lses) sum += Math.exp((lse[row] as number) - max);
    logSumExp.data[row] = max + Math.log(sum);
    for (const [p, from] of outputs.entries()) {
      const lse = (lses[p] as Float64Array)[row] as number;
      // A part that saw no key contributes nothing, whatever its buffer holds: 0 · NaN would be NaN.
      if (lse === Number.NEGATIVE_INFINITY) continue;
      const weight = Math.exp(lse - max) / sum;
      for (let at = row * valueDim; at < (row + 1) * valueDim; at++) {
        (output.data[at] as number) += weight * (from[at] as number);
      }
    }
  }
  return { output, logSumExp };
}
