import {
  type AttentionOutputs,
  type AttentionProblem,
  cast,
  type FloatDType,
  type HostTensor,
  statisticsDType,
  type TypedArray,
  tensor,
} from "@heed/core";
import type { RuntimeTensor } from "./runtime/runtime.js";

/**
 * What a session gave that the call asked for, as the call's outputs: views of the arrays that
 * onnxruntime made.
 */
export function hostOutputs(
  problem: AttentionProblem,
  results: Readonly<Record<string, RuntimeTensor>>,
): AttentionOutputs<HostTensor> {
  const outputs: Record<string, HostTensor> = {};
  for (const [name, t] of Object.entries(results)) {
    if (name === "leakSum") continue;
    // The graph's rows keep an axis of 1, and the host may have widened float16.
    const isLogSumExp = name === "logSumExp";
    const dims = isLogSumExp ? t.dims.slice(0, 3) : t.dims;
    const dtype = isLogSumExp ? statisticsDType(problem.dtype) : problem.dtype;
    outputs[name] = cast(
      tensor(t.data as TypedArray, dims, { dtype: t.type as FloatDType }),
      dtype,
    );
  }
  return outputs as unknown as AttentionOutputs<HostTensor>;
}
