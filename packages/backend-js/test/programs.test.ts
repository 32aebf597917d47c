import { describeProblem, referenceAttention, tensor } from "@heed/core";
import { causal } from "@heed/core/masks";
import { createBlockMask, maskMod } from "@heed/core/program";
import { expect, test, vi } from "vitest";
import { expectOutputs, RandomCalls } from "../../core/test/program/random-calls.js";
import {
  expectFullBlocksUnasked,
  expectHiddenBlocksUnread,
  notFinite,
} from "../../core/test/program/skipped-blocks.js";
import { TileProducts } from "../src/attention/products.js";
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

test("full blocks do not ask the program, and what hidden blocks hold is not read into results", async () => {
  const backend = await js().load();
  await expectFullBlocksUnasked(backend);
  await expectHiddenBlocksUnread(backend, notFinite);
  backend.dispose();
});

test("scores of blocks that a block mask or a program hides are not computed", async () => {
  const backend = await js().load();
  const numbers = new RandomCalls();
  const length = 512;
  const values = () => numbers.values(1, 1, length, 8);
  const inputs = { query: values(), key: values(), value: values() };
  const sizes = { queryLength: length, keyLength: length, queryBlock: 128, keyBlock: 128 };
  const maskMod = causal();
  const { mask, queryBlock, keyBlock } = createBlockMask(maskMod, sizes);
  const score = vi.spyOn(TileProducts.prototype, "score");
  for (const rules of [{ blockMask: { mask, queryBlock, keyBlock } }, { maskMod }]) {
    score.mockClear();
    const plan = await backend.plan(describeProblem({ ...inputs, ...rules }));
    await plan.run({ ...inputs, ...rules });
    const computed = score.mock.calls.map(
      ([{ start, end, from, to }]) => (end - start) * (to - from),
    );
    const blocks = computed.reduce((a, b) => a + b, 0) / (128 * 128);
    // Blocks before the diagonal and on it, of which the program leaves half.
    expect(blocks).toBeGreaterThan(8);
    if ("maskMod" in rules) expect(blocks).toBeLessThan(10);
    else expect(blocks).toBe(10);
    plan.dispose();
  }
  score.mockRestore();
  backend.dispose();
});
