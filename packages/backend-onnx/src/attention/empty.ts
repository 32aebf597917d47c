import {
  type AttentionOutputs,
  type AttentionProblem,
  type BoundAttention,
  type DeviceTensor,
  type HostTensor,
  statisticsDType,
  zeros,
} from "@heed/core";
import type { OnnxMemory } from "../device/memory.js";

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

/** Leaves the outputs of an empty problem on the device, too, if its inputs are there. */
export async function uploadOutputs(
  { tensors }: OnnxMemory,
  outputs: AttentionOutputs<HostTensor>,
): Promise<AttentionOutputs> {
  const uploaded: Record<string, DeviceTensor> = {};
  for (const [name, t] of Object.entries(outputs)) uploaded[name] = await tensors.upload(t);
  return uploaded as unknown as AttentionOutputs;
}
