import {
  type BoundRotary,
  cast,
  type FloatDType,
  type KernelPlan,
  type RotaryOutputs,
  type RotaryProblem,
  rotary,
  type TypedArray,
  tensor,
  type Verdict,
  zeros,
} from "@heed/core";
import type { OnnxContext } from "../context.js";
import type { OnnxMemory } from "../device/memory.js";
import { packedLayouts, ResidentCall } from "../device/resident.js";
import { kernelName } from "../kernel-name.js";
import { type AxisOrder, canonicalOrder, storedOrder } from "../layout/axis-order.js";
import { type FeedContext, feed } from "../layout/feed.js";
import type { RuntimeTensor } from "../runtime/runtime.js";
import type { SessionModel } from "../runtime/sessions.js";
import type { ProviderTraits } from "../runtime/traits.js";
import { rotaryGraph, rotaryModel, rotarySpec } from "./graph.js";

/** Whether a provider computes a problem: it needs kernels for its element types. Pure. */
export function decideRotary(
  { dtype, tableDType }: RotaryProblem,
  { provider, float64 }: ProviderTraits,
): Verdict<undefined> {
  if (float64 || (dtype !== "float64" && tableDType !== "float64")) return { decision: undefined };
  const message = `onnxruntime's provider ${provider} has no kernels for float64`;
  return { reasons: [{ code: "dtype", message, hint: "providers wasm and cpu have" }] };
}

/** Makes the plan of a problem and the session that its calls usually need. */
export async function planRotary(
  problem: RotaryProblem,
  _decision: undefined,
  context: OnnxContext,
): Promise<KernelPlan<BoundRotary, RotaryOutputs>> {
  const { loaded, sessions, memory } = context;
  const { runtime, traits } = loaded;
  const { batch, heads, length, headDim, rotaryDim, tableRows, dtype } = problem;
  const shape = [batch, heads, length, headDim];
  const stored = (type: FloatDType): FloatDType =>
    type === "float16" && !traits.float16 ? "float32" : type;
  const [elements, tableElements] = [stored(dtype), stored(problem.tableDType)];
  const usual = rotarySpec(problem, stored, canonicalOrder);
  const models = new Map<AxisOrder, SessionModel>([[canonicalOrder, rotaryModel(usual)]]);
  const modelFor = (order: AxisOrder): SessionModel => {
    let model = models.get(order);
    if (!model) {
      model = rotaryModel(rotarySpec(problem, stored, order));
      models.set(order, model);
    }
    return model;
  };
  const isEmpty = batch === 0 || heads === 0 || length === 0;
  if (!isEmpty) await sessions.prepare(modelFor(canonicalOrder));

  const ready = (
    given: FeedContext,
    { input, cos, sin, rows }: BoundRotary,
  ): { model: SessionModel; feeds: Record<string, RuntimeTensor> } => {
    const order = storedOrder(input, elements);
    const table = [tableRows, rotaryDim / 2];
    const feeds = {
      input: feed(given, "input", input, elements, shape, order),
      cos: feed(given, "cos", cos, tableElements, table),
      sin: feed(given, "sin", sin, tableElements, table),
      rows: new runtime.Tensor("int32", rows, [batch, length]),
    };
    return { model: modelFor(order), feeds };
  };

  const runOnDevice = async (
    resident: ResidentCall,
    bound: BoundRotary,
  ): Promise<RotaryOutputs> => {
    if (isEmpty) return { output: (memory as OnnxMemory).tensors.allocate(dtype, shape) };
    const { model, feeds } = ready({ runtime, resident }, bound);
    const form = { name: "output", stored: elements, dims: shape, dtype, shape };
    return (await resident.run(sessions, model, feeds, [form])) as unknown as RotaryOutputs;
  };

  const run = async (bound: BoundRotary): Promise<RotaryOutputs> => {
    const resident = ResidentCall.of(runtime, memory, rotary, bound);
    if (resident) return resident.releasedAfter(runOnDevice(resident, bound));
    if (isEmpty) return { output: zeros(dtype, shape) };
    const { model, feeds } = ready({ runtime, resident }, bound);
    const results = await sessions.run(model, feeds);
    const { data } = results.output as RuntimeTensor;
    const given = tensor(data as TypedArray, shape, { dtype: elements });
    return { output: cast(given, dtype) };
  };
  return {
    description: {
      kernel: kernelName("rotary", "plain", traits.provider),
      tiles: {},
      workspaceBytes: 0,
      dispatches: rotaryGraph(usual).nodes.length,
      ...(memory && { notes: [packedLayouts] }),
    },
    run,
  };
}
