import {
  type BoundProjection,
  type FloatDType,
  type KernelPlan,
  type ProjectionOutputs,
  type ProjectionProblem,
  projection,
  type Verdict,
} from "@heed/core";
import type { OnnxContext } from "../context.js";
import { kernelName } from "../kernel-name.js";
import { feed } from "../layout/feed.js";
import { planOneOutput } from "../one-output.js";
import { type ProviderTraits, refusesFloat64 } from "../runtime/traits.js";
import { projectionGraph, projectionModel, projectionSpec } from "./graph.js";

/** Whether a provider computes a problem: it needs kernels for its element types and sizes. Pure. */
export function decideProjection(
  { dtype, inputSize }: ProjectionProblem,
  traits: ProviderTraits,
): Verdict<undefined> {
  const reasons = refusesFloat64(traits, dtype);
  if (reasons.length > 0) return { reasons };
  if (inputSize === 0) {
    const message = "onnxruntime's operator Gemm takes no rows of 0 elements";
    return { reasons: [{ code: "empty", message }] };
  }
  return { decision: undefined };
}

/** Makes the plan of a problem and its session. */
export function planProjection(
  problem: ProjectionProblem,
  _decision: undefined,
  context: OnnxContext,
): Promise<KernelPlan<BoundProjection, ProjectionOutputs>> {
  const { traits } = context.loaded;
  const { batch, length, inputSize, outputSize, dtype } = problem;
  const shape = [batch, length, outputSize];
  const rows = batch * length;
  const stored: FloatDType = dtype === "float16" && !traits.float16 ? "float32" : dtype;
  const spec = projectionSpec(problem, stored);
  const model = projectionModel(spec);
  return planOneOutput<BoundProjection>(context, {
    operation: projection,
    kernel: kernelName("projection", "gemm", traits.provider),
    output: { stored, dims: [rows, outputSize], dtype, shape },
    usual: model,
    dispatches: projectionGraph(spec).nodes.length,
    ready: (given, { input, weight, bias }) => ({
      model,
      feeds: {
        input: feed(given, "input", input, stored, [rows, inputSize]),
        weight: feed(given, "weight", weight, stored, [outputSize, inputSize]),
        ...(bias && { bias: feed(given, "bias", bias, stored, [outputSize]) }),
      },
    }),
  });
}
