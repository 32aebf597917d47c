import {
  type BoundRmsNorm,
  cast,
  type FloatDType,
  type KernelPlan,
  type RmsNormOutputs,
  type RmsNormProblem,
  rmsNorm,
  type TypedArray,
  tensor,
  type Verdict,
  zeros,
} from "@heed/core";
import type { OnnxContext } from "../context.js";
import type { OnnxMemory } from "../device/memory.js";
import { packedLayouts, ResidentCall } from "../device/resident.js";
import { kernelName } from "../kernel-name.js";
import { type FeedContext, feed } from "../layout/feed.js";
import type { RuntimeTensor } from "../runtime/runtime.js";
import type { ProviderTraits } from "../runtime/traits.js";
import { rmsNormGraph, rmsNormModel, rmsNormSpec } from "./graph.js";

/** Whether a provider computes a problem: it needs kernels for its element types. Pure. */
export function decideRmsNorm(
  { dtype }: RmsNormProblem,
  { provider, float64 }: ProviderTraits,
): Verdict<undefined> {
  if (dtype !== "float64" || float64) return { decision: undefined };
  const message = `onnxruntime's provider ${provider} has no kernels for float64`;
  return { reasons: [{ code: "dtype", message, hint: "providers wasm and cpu have" }] };
}

/** Makes the plan of a problem and its session. */
export async function planRmsNorm(
  problem: RmsNormProblem,
  _decision: undefined,
  context: OnnxContext,
): Promise<KernelPlan<BoundRmsNorm, RmsNormOutputs>> {
  const { loaded, sessions, memory } = context;
  const { runtime, traits } = loaded;
  const { shape, rows, size, dtype } = problem;
  const stored: FloatDType = dtype === "float16" && !traits.float16 ? "float32" : dtype;
  const spec = rmsNormSpec(problem, stored);
  const model = rmsNormModel(spec);
  const isEmpty = rows === 0 || size === 0;
  if (!isEmpty) await sessions.prepare(model);

  const feedsOf = (
    given: FeedContext,
    { input, weight, epsilon }: BoundRmsNorm,
  ): Record<string, RuntimeTensor> => {
    const Elements = spec.compute === "float64" ? Float64Array : Float32Array;
    return {
      input: feed(given, "input", input, stored, [rows, size]),
      weight: feed(given, "weight", weight, stored, [size]),
      epsilon: new runtime.Tensor(spec.compute, Elements.of(epsilon), []),
    };
  };

  const runOnDevice = async (
    resident: ResidentCall,
    bound: BoundRmsNorm,
  ): Promise<RmsNormOutputs> => {
    if (isEmpty) return { output: (memory as OnnxMemory).tensors.allocate(dtype, shape) };
    const form = { name: "output", stored, dims: [rows, size], dtype, shape };
    const feeds = feedsOf({ runtime, resident }, bound);
    return (await resident.run(sessions, model, feeds, [form])) as unknown as RmsNormOutputs;
  };

  const run = async (bound: BoundRmsNorm): Promise<RmsNormOutputs> => {
    const resident = ResidentCall.of(runtime, memory, rmsNorm, bound);
    if (resident) return resident.releasedAfter(runOnDevice(resident, bound));
    if (isEmpty) return { output: zeros(dtype, shape) };
    const results = await sessions.run(model, feedsOf({ runtime, resident }, bound));
    const { data } = results.output as RuntimeTensor;
    return { output: cast(tensor(data as TypedArray, shape, { dtype: stored }), dtype) };
  };
  return {
    description: {
      kernel: kernelName("rms-norm", "plain", traits.provider),
      tiles: {},
      workspaceBytes: 0,
      dispatches: rmsNormGraph(spec).nodes.length,
      ...(memory && { notes: [packedLayouts] }),
    },
    run,
  };
}
