/** Backends that measure their own choices before a case is timed. */
import {
  type AttentionProblem,
  type AttentionProvider,
  describeProblem,
  type PlanOptions,
  reference,
  zeros,
} from "@heed/core";
import { expect, test } from "vitest";
import { backendContender } from "../src/contenders/backend-contender.js";

/** A backend that says in `info` that it was asked to measure. */
function tunable(asked: (PlanOptions | undefined)[]): AttentionProvider {
  return {
    name: "tunable",
    load: async () => {
      const inner = await reference().load();
      return {
        name: "tunable",
        get info() {
          return asked.some((options) => options?.tune)
            ? { ...inner.info, tuning: { table: 1 } }
            : inner.info;
        },
        supports: inner.supports.bind(inner),
        plan: (problem: AttentionProblem, options?: PlanOptions) => {
          asked.push(options);
          return inner.plan(problem);
        },
        dispose: () => inner.dispose(),
      };
    },
  };
}

const t = zeros("float32", [1, 1, 2, 4]);
const inputs = { query: t, key: t, value: t };

test.each([
  [300, { tune: { budget: 300, inputs } }, { table: 1 }],
  [null, undefined, undefined],
])("tune %j is handed to the backend with the case's inputs", async (tune, options, tuning) => {
  const asked: (PlanOptions | undefined)[] = [];
  const contender = backendContender("tunable", async () => tunable(asked), { tune });
  const loaded = await contender.load();
  expect(loaded.info.tuning).toBe(undefined);
  const plan = await loaded.plan(describeProblem(inputs), inputs);
  expect(asked).toEqual([options]);
  expect(loaded.info.tuning).toEqual(tuning);
  plan.dispose();
  await loaded.dispose();
});
