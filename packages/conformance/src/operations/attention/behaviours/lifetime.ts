import {
  attention,
  DisposedError,
  describeProblem,
  type HostTensor,
  InvalidInputError,
} from "@heed/core";
import { differing, outputBits } from "../../../calls/bits.js";
import type { ProgramCase } from "../../../run/case.js";
import { checkWrongCalls } from "../../../run/wrong-calls.js";
import { buildInputs } from "../build/inputs.js";
import { hostileCalls } from "../hostile/calls.js";
import { acceptedCalls, bitsOnce, named, planOf, rejection } from "./context.js";
import { variations } from "./variations.js";

/** Wrong calls that each backend is tried with; the suite's own tests try thousands. */
const wrongCalls = 250;

/** Loading, disposing, and calls that are wrong. */
export const lifetimeBehaviours: readonly ProgramCase[] = [
  {
    id: "behaviour/dispose-and-reload",
    profile: "behaviour",
    statement:
      "A backend that is disposed refuses further use with DisposedError, harms no other that is loaded, and can be loaded again, with the same results.",
    run: async ({ backend, provider, arithmetic }) => {
      const failures: string[] = [];
      const [call] = acceptedCalls(backend, variations, arithmetic);
      if (call === undefined) return { failures };
      const { inputs } = call;
      const before = await bitsOnce(backend, inputs);
      const second = await provider.load();
      if (second === backend) failures.push("load() gives the same backend twice");
      if (second.name !== provider.name) {
        failures.push(`the backend's name is ${second.name}, the provider's ${provider.name}`);
      }
      const plan = await planOf(second, inputs);
      if (differing(before, outputBits((await plan.run(inputs)) as never)).length > 0) {
        failures.push("a backend that is loaded twice gives other bits");
      }
      second.dispose();
      second.dispose();
      for (const [what, act] of [
        ["plan()", () => second.plan(describeProblem(inputs))],
        ["run() of a plan", () => plan.run(inputs)],
      ] as const) {
        const error = await rejection(act);
        if (!(error instanceof DisposedError)) {
          failures.push(`${what} of a disposed backend throws ${named(error)}, not DisposedError`);
        }
      }
      if (differing(before, await bitsOnce(backend, inputs)).length > 0) {
        failures.push("disposing one backend changed the results of another");
      }
      const third = await provider.load();
      if (differing(before, await bitsOnce(third, inputs)).length > 0) {
        failures.push("loaded again after its disposal, it gives other bits");
      }
      third.dispose();
      return { failures };
    },
  },
  {
    id: "behaviour/disposed-plan",
    profile: "behaviour",
    statement: "A disposed plan refuses to run with DisposedError; disposing it twice is harmless.",
    run: async ({ backend, arithmetic }) => {
      const [call] = acceptedCalls(backend, variations, arithmetic);
      if (call === undefined) return { failures: [] };
      const plan = await planOf(backend, call.inputs);
      plan.dispose();
      plan.dispose();
      const error = await rejection(() => plan.run(call.inputs));
      if (error instanceof DisposedError) return { failures: [] };
      return { failures: [`run() throws ${named(error)}, not DisposedError`] };
    },
  },
  {
    id: "behaviour/foreign-tensors",
    profile: "behaviour",
    statement: "A device tensor of another backend is refused with InvalidInputError.",
    run: async ({ backend, arithmetic }) => {
      const [call] = acceptedCalls(backend, variations, arithmetic);
      if (call === undefined) return { failures: [] };
      const failures: string[] = [];
      const before = await bitsOnce(backend, call.inputs);
      const plan = await planOf(backend, call.inputs);
      for (const name of ["query", "key", "value"] as const) {
        const own = call.inputs[name];
        const foreign = {
          backend: "somebody else",
          dtype: own.dtype,
          shape: own.shape,
          read: async () => own,
          dispose: () => {},
        };
        const error = await rejection(() => plan.run({ ...call.inputs, [name]: foreign }));
        if (!(error instanceof InvalidInputError)) {
          failures.push(`a foreign ${name}: run() throws ${named(error)}`);
        }
      }
      plan.dispose();
      if (differing(before, await bitsOnce(backend, call.inputs)).length > 0) {
        failures.push("after such calls, results have other bits");
      }
      return { failures };
    },
  },
  {
    id: "behaviour/wrong-calls",
    profile: "behaviour",
    statement: `${wrongCalls} wrong calls never reach the backend and change no later result.`,
    run: async ({ backend, arithmetic, seed }) => {
      const inputs = buildInputs({ queryLength: 9, causal: true }, "right", arithmetic);
      const accepted = backend.supports(describeProblem(inputs)).ok;
      const before = accepted ? await bitsOnce(backend, inputs) : null;
      const failures = await checkWrongCalls(backend, attention, hostileCalls(wrongCalls, seed));
      if (before && differing(before, await bitsOnce(backend, inputs)).length > 0) {
        failures.push("after the wrong calls, a right one gives other bits");
      }
      return { failures };
    },
  },
  {
    id: "behaviour/outputs-are-the-callers",
    profile: "behaviour",
    statement: "Outputs outlive the plan and the backend that made them.",
    run: async ({ backend, provider, arithmetic }) => {
      const [call] = acceptedCalls(backend, variations, arithmetic);
      if (call === undefined) return { failures: [] };
      const own = await provider.load();
      const plan = await planOf(own, call.inputs);
      const outputs = (await plan.run(call.inputs)) as { output: HostTensor };
      const before = outputBits(outputs);
      plan.dispose();
      own.dispose();
      await bitsOnce(backend, call.inputs);
      const lost = differing(before, outputBits(outputs));
      return { failures: lost.map((name) => `${name} changed after dispose()`) };
    },
  },
];
