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
import type { OutputForm } from "../device/resident.js";
import type { ModelValue } from "../model/model.js";
import type { RuntimeTensor } from "../runtime/runtime.js";

/**
 * Layouts of a problem's outputs, by name, from an earlier call. Later calls have the same layouts, so that
 * tensors are checked once and not at each call.
 */
export type KnownOutputs = Map<string, Omit<HostTensor, "data">>;

/** The results of a session as the outputs of a call: views of the arrays that onnxruntime made. */
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

/** The outputs of a graph as tensors on the device: the graph's log-sum-exp has a last axis of 1 more. */
export function outputForms(
  problem: AttentionProblem,
  values: readonly ModelValue[],
): readonly OutputForm[] {
  const { batch, queryLength, keyLength } = problem;
  const named: Readonly<Record<string, number>> = { batch, queryLength, keyLength };
  return values.map(({ name, dtype, dims }) => {
    const sizes = dims.map((size) => (typeof size === "number" ? size : (named[size] as number)));
    const isLogSumExp = name === "logSumExp";
    return {
      name,
      dtype: isLogSumExp ? statisticsDType(problem.dtype) : problem.dtype,
      stored: dtype as FloatDType,
      dims: sizes,
      shape: isLogSumExp ? sizes.slice(0, 3) : sizes,
    };
  });
}
