import {
  type BoundProjection,
  cast,
  type FloatDType,
  type KernelPlan,
  type ProjectionOutputs,
  type ProjectionProblem,
  projection,
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
import { projectionGraph, projectionModel, projectionSpec } from "./graph.js";

/** Whether a provider computes a problem: it needs kernels for its element types. Pure. */
export function decideProjection(
  { dtype, inputSize }: ProjectionProblem,
  { provider, float64 }: ProviderTraits,
): Verdict<undefined> {
  if (dtype === "float64" && !float64) {
    const message = `onnxruntime's provider ${provider} has no kernels for float64`;
    return { reasons: [{ code: "dtype", message, hint: "providers wasm and cpu have" }] };
  }
  if (inputSize === 0) {
    const message = "onnxruntime's operator Gemm takes no rows of 0 elements";
    return { reasons: [{ code: "empty", message }] };
  }
  return { decision: undefined };
}

/** Makes the plan of a problem and its session. */
export async function planProjection(
  problem: ProjectionProblem,
  _decision: undefined,
  context: OnnxContext,
): Promise<KernelPlan<BoundProjection, ProjectionOutputs>> {
  const { loaded, sessions, memory } = context;
  const { runtime, traits } = loaded;
  const { batch, length, inputSize, outputSize, dtype } = problem;
  const shape = [batch, length, outputSize];
  const rows = batch * length;
  const stored: FloatDType = dtype === "float16" && !traits.float16 ? "float32" : dtype;
  const spec = projectionSpec(problem, stored);
  const model = projectionModel(spec);
  const isEmpty = rows === 0 || outputSize === 0;
  if (!isEmpty) await sessions.prepare(model);

  const feedsOf = (
    given: FeedContext,
    { input, weight, bias }: BoundProjection,
  ): Record<string, RuntimeTensor> => ({
    input: feed(given, "input", input, stored, [rows, inputSize]),
    weight: feed(given, "weight", weight, stored, [outputSize, inputSize]),
    ...(bias && { bias: feed(given, "bias", bias, stored, [outputSize]) }),
  });

  const runOnDevice = async (
    resident: ResidentCall,
    bound: BoundProjection,
  ): Promise<ProjectionOutputs> => {
    if (isEmpty) return { output: (memory as OnnxMemory).tensors.allocate(dtype, shape) };
    const form = { name: "output", stored, dims: [rows, outputSize], dtype, shape };
    const feeds = feedsOf({ runtime, resident }, bound);
    return (await resident.run(sessions, model, feeds, [form])) as unknown as ProjectionOutputs;
  };

  const run = async (bound: BoundProjection): Promise<ProjectionOutputs> => {
    const resident = ResidentCall.of(runtime, memory, projection, bound);
    if (resident) return resident.releasedAfter(runOnDevice(resident, bound));
    if (isEmpty) return { output: zeros(dtype, shape) };
    const results = await sessions.run(model, feedsOf({ runtime, resident }, bound));
    const { data } = results.output as RuntimeTensor;
    return { output: cast(tensor(data as TypedArray, shape, { dtype: stored }), dtype) };
  };
  return {
    description: {
      kernel: kernelName("projection", "gemm", traits.provider),
      tiles: {},
      workspaceBytes: 0,
      dispatches: projectionGraph(spec).nodes.length,
      ...(memory && { notes: [packedLayouts] }),
    },
    run,
  };
}
