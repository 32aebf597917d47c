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
 * Outputs of earlier calls of a problem, by name, whose layout those of later ones have: a tensor is
 * checked once, and not at each call.
 */
export type KnownOutputs = Map<string, Omit<HostTensor, "data">>;

/**
 * What a session gave that the call asked for, as the call's outputs: views of the arrays that
 * onnxruntime made.
 */
export function hostOutputs(
  problem: AttentionProblem,
  results: Readonly<Record<string, RuntimeTensor>>,
  known: KnownOutputs,
): AttentionOutputs<HostTensor> {
  const outputs: Record<string, HostTensor> = {};
  for (const name in results) {
    if (name === "leakSum") continue;
    const result = results[name] as RuntimeTensor;
    const layout = known.get(name);
    if (layout?.dtype === result.type) {
      const { dtype, shape, strides, offset } = layout;
      outputs[name] = Object.freeze({
        dtype,
        shape,
        strides,
        offset,
        data: result.data as TypedArray,
      });
    } else {
      const t = outputOf(problem, name, result);
      known.set(name, t);
      outputs[name] = t;
    }
  }
  return outputs as unknown as AttentionOutputs<HostTensor>;
}

function outputOf(problem: AttentionProblem, name: string, result: RuntimeTensor): HostTensor {
  // The graph's rows keep an axis of 1, and the host may have widened float16.
  const isLogSumExp = name === "logSumExp";
  const dims = isLogSumExp ? result.dims.slice(0, 3) : result.dims;
  const given = tensor(result.data as TypedArray, dims, { dtype: result.type as FloatDType });
  return cast(given, isLogSumExp ? statisticsDType(problem.dtype) : problem.dtype);
}
