/** Measuring what a backend otherwise chooses by rule: what core hands through, keeps and forgets. */
import {
  type AttentionInputs,
  type AttentionProblem,
  attention,
  createAttention,
  defineBackend,
  describeProblem,
  type HostTensor,
  InvalidInputError,
  implement,
  lengthClassKey,
  reference,
  type TuneRequest,
  UnsupportedError,
  zeros,
} from "@heed/core";
import { expect, test } from "vitest";

const call = (keys = 3): AttentionInputs<HostTensor> => ({
  query: zeros("float32", [1, 1, 2, 4]),
  key: zeros("float32", [1, 1, keys, 4]),
  value: zeros("float32", [1, 1, keys, 4]),
});

/** A backend that has one thing to decide, and measures it when it is asked to. */
function tunable({ fails = false } = {}) {
  const log: string[] = [];
  const requests: TuneRequest[] = [];
  let tuned = 0;
  const provider = defineBackend({
    name: "tunable",
    load: () => ({}),
    info: () => ({
      runtime: "JavaScript",
      device: "CPU",
      features: [],
      threads: 1,
      ...(tuned > 0 && { tuning: { tuned } }),
    }),
    operations: {
      attention: implement(attention, {
        decide: (problem: AttentionProblem) => {
          log.push("decide");
          if (problem.causal) return { reasons: [{ code: "causal", message: "has no causal" }] };
          return tuned > 0
            ? { decision: `measured ${tuned}`, notes: [`as measured in round ${tuned}`] }
            : { decision: "rule" };
        },
        plan: async (problem, decision: string) => {
          log.push(`plan ${decision}`);
          const backend = await reference().load();
          const plan = await backend.plan(problem);
          return {
            description: plan.description,
            run: (bound) => plan.run(bound.inputs),
            dispose: () => log.push(`dispose ${decision}`),
          };
        },
        tune: async (_, request) => {
          log.push("tune");
          requests.push(request);
          if (fails) throw new Error("the device is gone");
          tuned += 1;
        },
      }),
    },
  });
  return { provider, log, requests };
}

test("prepare with tune measures, plans anew, explains it, and info has the outcome", async () => {
  const { provider, log, requests } = tunable();
  const heed = await createAttention({ backends: [provider], selfTest: false });
  const inputs = call();
  await heed.run(inputs);
  expect(heed.explain(inputs).notes).toBe(undefined);
  const explained = await heed.prepare(inputs, { tune: true });
  expect(explained.notes).toEqual(["as measured in round 1"]);
  expect(explained.text).toBe("tunable runs it\n  as measured in round 1");
  expect(requests).toEqual([
    { budget: 1000, inputs: expect.objectContaining({ query: inputs.query }) },
  ]);
  expect(heed.backends).toMatchObject([{ info: { tuning: { tuned: 1 } } }]);
  await heed.run(inputs);
  expect(log).toEqual(["decide", "plan rule", "dispose rule", "tune", "decide", "plan measured 1"]);
  // Another problem's decision was forgotten as well: a measurement may serve it, too.
  await heed.run(call(4));
  expect(log.slice(-2)).toEqual(["decide", "plan measured 1"]);
  await heed.dispose();
});

test("a problem without a call is measured by itself, with the time that is given", async () => {
  const { provider, requests } = tunable();
  const heed = await createAttention({ backends: [provider], selfTest: false });
  await heed.prepare(describeProblem(call()), { tune: { budget: 250 } });
  await heed.prepare(call(), { tune: false });
  await heed.prepare(call(), {});
  expect(requests).toEqual([{ budget: 250 }]);
  await heed.dispose();
});

test("a refused problem is not measured, and a measurement that fails is the backend's failure", async () => {
  const { provider, log } = tunable({ fails: true });
  const backend = await provider.load();
  const causal = describeProblem({ ...call(2), causal: true });
  const tune = { budget: 10 };
  expect(() => backend.plan(causal, { tune })).toThrow(UnsupportedError);
  expect(log).not.toContain("tune");
  await expect(backend.plan(describeProblem(call()), { tune })).rejects.toThrow("is gone");
  expect(backend.supports(describeProblem(call()))).toEqual({ ok: true });
  backend.dispose();
});

test("a backend with nothing to measure ignores it", async () => {
  const heed = await createAttention({ backends: [reference()], selfTest: false });
  const explained = await heed.prepare(call(), { tune: true });
  expect([explained.backend, explained.notes]).toEqual(["reference", undefined]);
  await heed.dispose();
});

test.each([
  ["tune", "yes"],
  ["tune", 3],
  ["tune.budget", { budget: 0 }],
  ["tune.budget", { budget: Number.NaN }],
  ["tune.budget", { budget: "1000" }],
  ["tune.time", { time: 1000 }],
])("a wrong option names itself: %s of %j", async (argument, tune) => {
  const heed = await createAttention({ backends: [reference()], selfTest: false });
  const error = await heed.prepare(call(), { tune: tune as never }).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(InvalidInputError);
  expect(error.argument).toBe(argument);
  await heed.dispose();
});

test("problems of one class have one key, whatever their lengths between two powers of two", () => {
  const keyOf = (keys: number) => lengthClassKey(describeProblem(call(keys)));
  expect(keyOf(5)).toBe(keyOf(8));
  expect(keyOf(4)).not.toBe(keyOf(5));
  expect(() => lengthClassKey({} as never)).toThrow(InvalidInputError);
});
