import {
  type BoundRotary,
  type FloatDType,
  type KernelPlan,
  type RotaryOutputs,
  type RotaryProblem,
  rotary,
  type Verdict,
} from "@heed/core";
import type { OnnxContext } from "../context.js";
import { kernelName } from "../kernel-name.js";
import { type AxisOrder, canonicalOrder, storedOrder } from "../layout/axis-order.js";
import { feed } from "../layout/feed.js";
import { planOneOutput } from "../one-output.js";
import type { SessionModel } from "../runtime/sessions.js";
import { type ProviderTraits, refusesFloat64 } from "../runtime/traits.js";
import { rotaryGraph, rotaryModel, rotarySpec } from "./graph.js";

/** Whether a provider computes a problem: it needs kernels for its element types. Pure. */
export function decideRotary(
  { dtype, tableDType }: RotaryProblem,
  traits: ProviderTraits,
): Verdict<undefined> {
  const reasons = refusesFloat64(traits, dtype, tableDType);
  return reasons.length > 0 ? { reasons } : { decision: undefined };
}

/** Makes the plan of a problem and the session that its calls usually need. */
export function planRotary(
  problem: RotaryProblem,
  _decision: undefined,
  context: OnnxContext,
): Promise<KernelPlan<BoundRotary, RotaryOutputs>> {
  const { runtime, traits } = context.loaded;
  const { batch, heads, length, headDim, rotaryDim, tableRows, dtype } = problem;
  const shape = [batch, heads, length, headDim];
  const stored = (type: FloatDType): FloatDType =>
    type === "float16" && !traits.float16 ? "float32" : type;
  const [elements, tableElements] = [stored(dtype), stored(problem.tableDType)];
  const spec = rotarySpec(problem, stored, canonicalOrder);
  const usual = rotaryModel(spec);
  const models = new Map<AxisOrder, SessionModel>([[canonicalOrder, usual]]);
  const modelFor = (order: AxisOrder): SessionModel => {
    let model = models.get(order);
    if (!model) {
      model = rotaryModel(rotarySpec(problem, stored, order));
      models.set(order, model);
    }
    return model;
  };
  return planOneOutput<BoundRotary>(context, {
    operation: rotary,
    kernel: kernelName("rotary", "plain", traits.provider),
    output: { stored: elements, dims: shape, dtype, shape },
    usual,
    dispatches: rotaryGraph(spec).nodes.length,
    ready: (given, { input, cos, sin, rows }) => {
      const order = storedOrder(input, elements);
      const table = [tableRows, rotaryDim / 2];
      const feeds = {
        input: feed(given, "input", input, elements, shape, order),
        cos: feed(given, "cos", cos, tableElements, table),
        sin: feed(given, "sin", sin, tableElements, table),
        rows: new runtime.Tensor("int32", rows, [batch, length]),
      };
      return { model: modelFor(order), feeds };
    },
  });
}
