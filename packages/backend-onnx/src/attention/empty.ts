import {
  type AttentionOutputs,
  type AttentionProblem,
  type BoundAttention,
  type HostTensor,
  statisticsDType,
  zeros,
} from "@heed/core";

/** Whether there is nothing to compute. onnxruntime's kernels differ in their results for sizes of 0. */
export function isEmpty({ batch, queryHeads, queryLength, keyLength }: AttentionProblem): boolean {
  return batch === 0 || queryHeads === 0 || queryLength === 0 || keyLength === 0;
}

/** The outputs of an empty problem: no rows, or rows that see no key. */
export function emptyOutputs({ problem, sinks }: BoundAttention): AttentionOutputs<HostTensor> {
  const { batch, queryHeads, queryLength, keyLength, valueDim, dtype, returns } = problem;
  const rows = [batch, queryHeads, queryLength];
  const logSumExp = zeros(statisticsDType(dtype), rows);
  for (let row = 0; row < logSumExp.data.length; row++) {
    const head = Math.floor(row / queryLength) % queryHeads;
    logSumExp.data[row] = sinks?.[head] ?? Number.NEGATIVE_INFINITY;
  }
  return {
    output: zeros(dtype, [...rows, valueDim]),
    ...(returns.logSumExp && { logSumExp }),
    ...(returns.weights && { weights: zeros(dtype, [...rows, keyLength]) }),
    ...(returns.scores && { scores: zeros(dtype, [...rows, keyLength]) }),
  };
}
