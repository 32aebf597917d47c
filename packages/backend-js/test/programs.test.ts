import { describeProblem, referenceAttention, tensor } from "@heed/core";
import { causal } from "@heed/core/masks";
import { createBlockMask, maskMod } from "@heed/core/program";
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

test("full blocks of another program, and blocks that a group's heads have for themselves", async () => {
  const backend = await js().load();
  const numbers = new RandomCalls();
  const [heads, length, block] = [2, 256, 64];
  const tensors = {
    query: numbers.values(1, heads, length, 8),
    key: numbers.values(1, 1, length, 8),
    value: numbers.values(1, 1, length, 8),
  };
  const sizes = { queryLength: length, keyLength: length, queryBlock: block, keyBlock: block };
  const seen = Array.from({ length: heads * 16 }, (_, n) => n % 4 === (n < 16 ? 1 : 2));
  for (const rules of [
    { maskMod: causal(), blockMask: createBlockMask(maskMod(true), sizes) },
    { blockMask: { mask: tensor(seen, [1, heads, 4, 4]), queryBlock: block, keyBlock: block } },
  ]) {
    const call = { ...tensors, ...rules };
    const plan = await backend.plan(describeProblem(call));
    expectOutputs(Object.keys(rules), await plan.run(call), referenceAttention(call), 1e-5);
  }
  backend.dispose();
});
