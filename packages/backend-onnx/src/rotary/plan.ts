import {
  type BoundRotary,
  cast,
  type FloatDType,
  type HostTensor,
  type KernelPlan,
  type RotaryOutputs,
  type RotaryProblem,
  type TypedArray,
  tensor,
  type Verdict,
  zeros,
} from "@heed/core";
import type { OnnxContext } from "../context.js";
import { deviceOutputs, isResident } from "../device/call.js";
import { feed, hostFeed } from "../device/feed.js";
import { emptyTensor } from "../device/tensor.js";
import { kernelName } from "../kernel-name.js";
import { type AxisOrder, canonicalOrder, storedDims, storedOrder } from "../layout/axis-order.js";
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
  const { loaded, sessions } = context;
  const { runtime, traits, device } = loaded;
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

  const run = async (bound: BoundRotary): Promise<RotaryOutputs> => {
    const resident = isResident(bound.reads, device);
    if (isEmpty) {
      const empty = { dtype, stored: elements, shape };
      return { output: resident && device ? emptyTensor(device, empty) : zeros(dtype, shape) };
    }
    const { input, cos, sin, rows } = bound;
    const order = storedOrder(input, elements);
    const table = [tableRows, rotaryDim / 2];
    const feeds: Record<string, RuntimeTensor> = {
      input:
        order === canonicalOrder
          ? feed(runtime, "input", input, elements, shape)
          : hostFeed(runtime, input as HostTensor, storedDims(shape, order)),
      cos: feed(runtime, "cos", cos, tableElements, table),
      sin: feed(runtime, "sin", sin, tableElements, table),
      rows: new runtime.Tensor("int32", rows, [batch, length]),
    };
    if (!(resident && device)) {
      const results = await sessions.run(modelFor(order), feeds);
      const { data } = results.output as RuntimeTensor;
      const given = tensor(data as TypedArray, shape, { dtype: elements });
      return { output: cast(given, dtype) };
    }
    const form = { name: "output", stored: elements, dims: shape, dtype, shape };
    const made = deviceOutputs(runtime, device, [form]);
    try {
      await sessions.run(modelFor(order), feeds, made.fetches);
    } catch (error) {
      made.dispose();
      throw error;
    }
    return made.outputs as unknown as RotaryOutputs;
  };
  return {
    description: {
      kernel: kernelName("rotary", "plain", traits.provider),
      tiles: {},
      workspaceBytes: 0,
      dispatches: rotaryGraph(usual).nodes.length,
    },
    run,
  };
}
