/** Calls whose block mask leaves few blocks: logits of the others do not exist, whatever else a call says. */
import { describeProblem, tensor } from "@heed/core";
import * as p from "@heed/core/program";
import { expect, test } from "vitest";
import { expectAsReference } from "./call-of.js";
import {
  all,
  batch,
  blocksOf,
  type Call,
  inputs,
  kvHeads,
  length,
  numbers,
  rest,
  sizes,
  someBlocks,
} from "./tile-calls.js";
import { logits, watched } from "./watched.js";

const provider = await watched(logits, "cpu");

for (const [blocks, of] of Object.entries(blocksOf)) {
  test.each(Object.entries(rest))(`blocks: ${blocks}; beside them %s`, async (_, more) => {
    const call = { ...inputs(numbers), ...of(), ...more };
    const plan = await provider.backend.plan(describeProblem(call));
    provider.runs.length = 0;
    const first = await plan.run(call);
    expectAsReference(first, call);
    const work = provider.runs.reduce((sum, count) => sum + count, 0);
    expect(work).toBeLessThan(0.5 * all);
    // Masks are kept from the second call on.
    for (let again = 0; again < 2; again++) expect(await plan.run(call)).toEqual(first);
    plan.dispose();
  });
}

test("NaN in keys and values that no row visits, or that a program hides", async () => {
  for (const of of Object.values(blocksOf)) {
    const call = { ...inputs(numbers), ...of() };
    const third = p.maskMod(({ keyIndex }) => p.notEqual(p.remainder(keyIndex, 3), 1));
    const poisoned = { ...call, maskMod: third };
    for (const t of [poisoned.key, poisoned.value]) {
      const size = t.shape[3] as number;
      for (let row = 0; row < batch * kvHeads * length; row++) {
        if ((row % length) % 3 !== 1) continue;
        (t.data as Float32Array).fill(Number.NaN, row * size, (row + 1) * size);
      }
    }
    const plan = await provider.backend.plan(describeProblem(poisoned));
    expectAsReference(await plan.run(poisoned), poisoned);
    plan.dispose();
  }
});

test("tables and scalars that change between calls and while calls run", async () => {
  const ids = Int32Array.from({ length }, (_, n) => Math.floor(n / 64));
  const document = p.table(tensor(ids, [length]));
  const made = p.maskMod(({ query, key }) => p.equal(document.at(query), document.at(key)));
  const blockMask = p.createBlockMask(made, { ...sizes, queryBlock: 64, keyBlock: 48 });
  const call = { ...inputs(numbers), maskMod: made, blockMask };
  const plan = await provider.backend.plan(describeProblem(call));
  for (const moved of [0, 0, 0, 5, 5, 9, 0]) {
    // Inside of blocks that are partial in any case.
    ids.fill(0, 0, 64 + moved);
    ids.fill(1, 64 + moved, 128);
    expectAsReference(await plan.run(call), call);
  }
  const width = p.scalar(40);
  const near = p.maskMod(({ queryIndex, keyIndex }) =>
    p.less(p.abs(p.subtract(queryIndex, keyIndex)), width),
  );
  const shared = { ...inputs(numbers), maskMod: near, blockMask: someBlocks([1, 1], [64, 64]) };
  const other = await provider.backend.plan(describeProblem(shared));
  const running: Promise<unknown>[] = [];
  const expected: Call[] = [];
  for (const value of [40, 40, 40, 11, 90]) {
    width.value = value;
    const fixed = p.maskMod(({ queryIndex, keyIndex }) =>
      p.less(p.abs(p.subtract(queryIndex, keyIndex)), value),
    );
    expected.push({ ...shared, maskMod: fixed });
    running.push(other.run(shared));
  }
  for (const [n, outputs] of (await Promise.all(running)).entries()) {
    expectAsReference(outputs as object, expected[n] as Call);
  }
});

test("many blocks, weights and scores take the whole matrix, and the plan says so", async () => {
  const most = p.maskMod(({ keyIndex }) => p.less(keyIndex, 200));
  const blocks = { ...sizes, queryBlock: 16, keyBlock: 16 };
  const few = someBlocks([1, 1], [64, 64]);
  for (const more of [
    { maskMod: most, blockMask: p.createBlockMask(most, blocks) },
    { blockMask: few, returns: { weights: true } },
    { blockMask: few, returns: { scores: "biased" } },
  ] satisfies Partial<Call>[]) {
    const call: Call = { ...inputs(numbers), ...more };
    const plan = await provider.backend.plan(describeProblem(call));
    provider.runs.length = 0;
    expectAsReference(await plan.run(call), call);
    expect(provider.runs).toEqual([all]);
    const [note] = plan.description.notes ?? [];
    expect(note).toMatch(
      more.returns ? /^all logits are computed.*a column for each key/ : /computed alone, unless/,
    );
    plan.dispose();
  }
});
