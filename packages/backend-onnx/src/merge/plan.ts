import {
  type BoundMerge,
  cast,
  type DeviceTensor,
  type FloatDType,
  type HostTensor,
  type KernelPlan,
  type MergeOutputs,
  type MergeProblem,
  merge,
  type TypedArray,
  tensor,
  zeros,
} from "@heed/core";
import type { OnnxContext } from "../context.js";
import type { OnnxMemory } from "../device/memory.js";
import { type OutputForm, packedLayouts, ResidentCall } from "../device/resident.js";
import { kernelName } from "../kernel-name.js";
import { type FeedContext, feed } from "../layout/feed.js";
import type { RuntimeTensor } from "../runtime/runtime.js";
import { mergeWorkspaceBytes } from "./decide.js";
import { type MergeSpec, mergeGraph, mergeModel, mergeSpec, partNames } from "./graph.js";

/** Makes the plan of a problem and the session that its calls need. */
export async function planMerge(
  problem: MergeProblem,
  _decision: undefined,
  context: OnnxContext,
): Promise<KernelPlan<BoundMerge, MergeOutputs>> {
  const { loaded, sessions, memory } = context;
  const { runtime, traits } = loaded;
  const spec = mergeSpec(problem, traits);
  const model = mergeModel(spec);
  const forms = outputForms(problem, spec);
  const written = forms.filter(({ name }) => spec.values || name !== "output");
  // onnxruntime's kernels differ in their results for sizes of 0.
  const isEmpty = problem.rows === 0;
  if (!isEmpty) await sessions.prepare(model);

  const feedsOf = (
    given: FeedContext,
    { outputs, logSumExps }: BoundMerge,
  ): Record<string, RuntimeTensor> => {
    const feeds: Record<string, RuntimeTensor> = {};
    const { rows, valueDim } = problem;
    for (const [part, logSumExp] of logSumExps.entries()) {
      const names = partNames(part);
      const argument = `parts[${part}].logSumExp`;
      feeds[names.logSumExp] = feed(given, argument, logSumExp, spec.logSumExpStored, [rows, 1]);
      const output = outputs[part];
      if (!spec.values || output === undefined) continue;
      const dims = [rows, valueDim];
      feeds[names.output] = feed(given, `parts[${part}].output`, output, spec.stored, dims);
    }
    return feeds;
  };

  const runOnDevice = async (resident: ResidentCall, bound: BoundMerge): Promise<MergeOutputs> => {
    const computed: Record<string, DeviceTensor> = isEmpty
      ? {}
      : await resident.run(sessions, model, feedsOf({ runtime, resident }, bound), written);
    const { tensors } = memory as OnnxMemory;
    const whole = forms.map(({ name, dtype, shape }) => [
      name,
      computed[name] ?? tensors.allocate(dtype, shape),
    ]);
    return Object.fromEntries(whole) as MergeOutputs;
  };

  const run = async (bound: BoundMerge): Promise<MergeOutputs> => {
    const resident = ResidentCall.of(runtime, memory, merge, bound);
    if (resident) return resident.releasedAfter(runOnDevice(resident, bound));
    const onHost = { runtime, resident };
    const results = isEmpty ? {} : await sessions.run(model, feedsOf(onHost, bound));
    const whole = forms.map((form) => [form.name, hostOutput(form, results[form.name])]);
    return Object.fromEntries(whole) as MergeOutputs;
  };

  return {
    description: {
      kernel: kernelName("merge", "plain", traits.provider),
      tiles: {},
      workspaceBytes: mergeWorkspaceBytes(problem),
      dispatches: mergeGraph(spec).nodes.length,
      ...(memory && { notes: [packedLayouts] }),
    },
    run,
  };
}

/** The outputs of a call, and those of the graph that computes them: the graph has all rows in one axis. */
function outputForms(problem: MergeProblem, spec: MergeSpec): readonly OutputForm[] {
  const { rows, valueDim, shape, dtype } = problem;
  const { stored, compute } = spec;
  return [
    { name: "output", stored, dims: [rows, valueDim], dtype, shape: [...shape, valueDim] },
    { name: "logSumExp", stored: compute, dims: [rows, 1], dtype: compute, shape },
  ];
}

/** An output of a run; without a result it has no elements. */
function hostOutput(form: OutputForm, result: RuntimeTensor | undefined): HostTensor {
  const { stored, dtype, shape } = form;
  if (result === undefined) return zeros(dtype, shape);
  const given = tensor(result.data as TypedArray, shape, { dtype: stored as FloatDType });
  return cast(given, dtype);
}
