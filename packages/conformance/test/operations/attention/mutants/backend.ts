import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionProblem,
  type AttentionProvider,
  attention,
  bindInputs,
  defineBackend,
  describeProblem,
  fromFloat64,
  type HostTensor,
  implement,
  type PlanDescription,
  roundOutputs,
} from "@heed/core";
import { Trial } from "../../../../src/operations/attention/explain/trial.js";
import { scaledOutput } from "../../../../src/operations/attention/mistakes/denominators.js";
import type {
  Mistake,
  Semantics,
  Statistic,
} from "../../../../src/operations/attention/mistakes/mistake.js";
import { attend } from "../../../../src/operations/attention/mistakes/steps.js";
import {
  logitsOf,
  tiledOutput,
} from "../../../../src/operations/attention/mistakes/tiled-softmax.js";

/** A backend on the CPU that computes each call by a function. */
export function backendOf(
  run: (
    problem: AttentionProblem,
    inputs: AttentionInputs<HostTensor>,
  ) => Promise<AttentionOutputs<HostTensor>>,
  tiles: PlanDescription["tiles"] = {},
): AttentionProvider {
  return defineBackend<null>({
    name: "mutant",
    load: () => null,
    info: () => ({ runtime: "JavaScript", device: "CPU", features: [], threads: 1 }),
    operations: {
      attention: implement(attention, {
        plan: (problem: AttentionProblem) => ({
          description: { kernel: "mutant", tiles, workspaceBytes: 0, dispatches: 1 },
          run: (bound) => run(problem, bound.inputs as AttentionInputs<HostTensor>),
        }),
      }),
    },
  });
}

/** A backend that makes a mistake of the catalogue, and is right otherwise. */
export function mutantOf({ semantics }: Mistake): AttentionProvider {
  return backendOf(async (problem, inputs) => outputsOf(semantics, problem, inputs));
}

function outputsOf(
  semantics: Semantics,
  problem: AttentionProblem,
  inputs: AttentionInputs<HostTensor>,
): AttentionOutputs<HostTensor> {
  if (semantics.kind === "steps") return attend(problem, inputs, semantics.steps);
  if (semantics.kind === "call") {
    const call = semantics.change(inputs) ?? inputs;
    return right(describeProblem(call), call);
  }
  const outputs = right(problem, inputs);
  const { name, made } = madeBy(semantics, inputs);
  const t = outputs[name];
  if (made === null || t === undefined) return outputs;
  return { ...outputs, [name]: fromFloat64(made, t.shape, t.dtype) };
}

/** The right outputs, of the evaluation in steps where it knows the call. */
export function right(
  problem: AttentionProblem,
  inputs: AttentionInputs<HostTensor>,
): AttentionOutputs<HostTensor> {
  const { maskMod, scoreMod, blockMask } = problem;
  if (maskMod === null && scoreMod === null && blockMask === null) {
    return attend(problem, inputs, {});
  }
  const bound = bindInputs(problem, inputs);
  return roundOutputs(attention.operands(problem), attention.reference(bound)) as never;
}

function madeBy(
  semantics: Exclude<Semantics, { kind: "call" | "steps" }>,
  inputs: AttentionInputs<HostTensor>,
): { name: "output" | Statistic; made: Float64Array | null } {
  switch (semantics.kind) {
    case "returned":
      return { name: semantics.of, made: semantics.make(inputs) };
    case "factors":
      return { name: "output", made: scaledOutput(semantics.factors, inputs) };
    case "tiles":
      return {
        name: "output",
        made: tiledOutput(logitsOf(inputs), semantics.tile, semantics.steps),
      };
    case "rows":
      return { name: "output", made: new Trial(inputs).firstRows(semantics.rows, null) };
  }
}
