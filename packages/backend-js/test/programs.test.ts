import { describeProblem, referenceAttention } from "@heed/core";
import { test } from "vitest";
import { expectOutputs, RandomCalls } from "../../core/test/program/random-calls.js";
import { js } from "../src/index.js";

test("programs and block masks give what the reference gives", async () => {
  const backend = await js().load();
  const calls = new RandomCalls();
  for (let n = 0; n < 40; n++) {
    const call = calls.next();
    const problem = describeProblem(call);
    const plan = await backend.plan(problem);
    expectOutputs([n, problem.key], await plan.run(call), referenceAttention(call), 1e-5);
    plan.dispose();
  }
  backend.dispose();
});
