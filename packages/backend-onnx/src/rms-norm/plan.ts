import {
  type BoundRmsNorm,
  type FloatDType,
  type KernelPlan,
  type RmsNormOutputs,
  type RmsNormProblem,
  rmsNorm,
  type Verdict,
} from "@heed/core";
import type { OnnxContext } from "../context.js";
import { kernelName } from "../kernel-name.js";
import { feed } from "../layout/feed.js";
import { elementsOf } from "../model/model.js";
import { planOneOutput } from "../one-output.js";
import { type ProviderTraits, refusesFloat64 } from "../runtime/traits.js";
import { rmsNormGraph, rmsNormModel, rmsNormSpec } from "./graph.js";

/** Whether a provider computes a problem: it needs kernels for its element types. Pure. */
export function decideRmsNorm(
  { dtype }: RmsNormProblem,
  traits: ProviderTraits,
): Verdict<undefined> {
  const reasons = refusesFloat64(traits, dtype);
  return reasons.length > 0 ? { reasons } : { decision: undefined };
}

/** Makes the plan of a problem and its session. */
export function planRmsNorm(
  problem: RmsNormProblem,
  _decision: undefined,
  context: OnnxContext,
): Promise<KernelPlan<BoundRmsNorm, RmsNormOutputs>> {
  const { runtime, traits } = context.loaded;
  const { shape, rows, size, dtype } = problem;
  const stored: FloatDType = dtype === "float16" && !traits.float16 ? "float32" : dtype;
  const spec = rmsNormSpec(problem, stored);
  const model = rmsNormModel(spec);
  return planOneOutput<BoundRmsNorm>(context, {
    operation: rmsNorm,
    kernel: kernelName("rms-norm", "plain", traits.provider),
    output: { stored, dims: [rows, size], dtype, shape },
    usual: model,
    dispatches: rmsNormGraph(spec).nodes.length,
    ready: (given, { input, weight, epsilon }) => ({
      model,
      feeds: {
        input: feed(given, "input", input, stored, [rows, size]),
        weight: feed(given, "weight", weight, stored, [size]),
        epsilon: new runtime.Tensor(spec.compute, elementsOf(spec.compute, [epsilon]), []),
      },
    }),
  });
}
