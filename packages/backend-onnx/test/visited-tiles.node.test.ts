/** Calls whose block mask leaves few blocks: logits of the others do not exist. */
import { type AttentionInputs, describeProblem, type HostTensor, tensor } from "@heed/core";
import * as p from "@heed/core/program";
import { expect, test } from "vitest";
import { expectAsReference, Numbers } from "./call-of.js";
import { watched } from "./watched.js";

const [batch, heads, kvHeads, length] = [2, 4, 2, 128];
const [blockRows, blockKeys] = [length / 16, length / 32];

/** The number of query heads in each run: 1 where blocks are sequences. */
const watchedHeads = () => watched(({ query }) => query?.dims[1] as number);

function inputs(numbers: Numbers): AttentionInputs<HostTensor> {
  return {
    query: numbers.tensor(batch, heads, length, 16),
    key: numbers.tensor(batch, kvHeads, length, 16),
    value: numbers.tensor(batch, kvHeads, length, 8),
    returns: { logSumExp: true },
  };
}

/** Some blocks of each head and batch entry, none of some rows. */
function someBlocks(): AttentionInputs["blockMask"] {
  const blocks = Array.from({ length: batch * heads * blockRows * blockKeys }, (_, n) => {
    const row = Math.floor(n / blockKeys);
    return row % 5 !== 0 && (7 * n + row) % 5 < 2;
  });
  return {
    mask: tensor(blocks, [batch, heads, blockRows, blockKeys]),
    queryBlock: 16,
    keyBlock: 32,
  };
}

/** One block of each row. */
function fewBlocks(): AttentionInputs["blockMask"] {
  const blocks = Array.from(
    { length: heads * blockRows * blockKeys },
    (_, n) => n % blockKeys === Math.floor(n / blockKeys) % 3,
  );
  return { mask: tensor(blocks, [1, heads, blockRows, blockKeys]), queryBlock: 16, keyBlock: 32 };
}

test("blocks that are data", async () => {
  const { backend, runs } = await watchedHeads();
  const call = { ...inputs(new Numbers(11)), blockMask: someBlocks(), softcap: 4, scale: 0.3 };
  const plan = await backend.plan(describeProblem(call));
  const outputs = await plan.run(call);
  expectAsReference(outputs, call);
  expect(outputs.output.shape).toEqual([batch, heads, length, 8]);
  expect(new Set(runs)).toEqual(new Set([1]));
  // Other data, by the same plan.
  const shared = {
    mask: tensor(
      Array.from({ length: blockRows * blockKeys }, (_, n) => n % 3 === 0),
      [1, 1, blockRows, blockKeys],
    ),
    queryBlock: 16,
    keyBlock: 32,
  };
  const other = { ...call, blockMask: shared };
  expectAsReference(await (await backend.plan(describeProblem(other))).run(other), other);
  await backend.dispose();
});

test("blocks that a program made, and NaN in what it hides", async () => {
  const { backend, runs } = await watchedHeads();
  const numbers = new Numbers(12);
  const maskMod = p.maskMod(({ queryIndex, keyIndex, head }) =>
    p.equal(
      p.floorDivide(queryIndex, 32),
      p.remainder(p.add(p.floorDivide(keyIndex, 32), head), 4),
    ),
  );
  const sizes = { heads, queryLength: length, keyLength: length, queryBlock: 16, keyBlock: 32 };
  const blockMask = p.createBlockMask(maskMod, sizes);
  expect(blockMask.counts.partial).toBe(0);
  const call = { ...inputs(numbers), maskMod, blockMask };
  const plan = await backend.plan(describeProblem(call));
  expectAsReference(await plan.run(call), call);
  expect(runs).toEqual([1]);
  // Keys that no block holds may hold anything.
  const first = p.maskMod(({ keyIndex }) => p.less(keyIndex, 64));
  const poisoned = { ...inputs(numbers), blockMask: p.createBlockMask(first, sizes) };
  for (const t of [poisoned.key, poisoned.value]) {
    const size = t.shape[3] as number;
    for (let head = 0; head < batch * kvHeads; head++) {
      (t.data as Float32Array).fill(
        Number.NaN,
        (head * length + 64) * size,
        (head + 1) * length * size,
      );
    }
  }
  expectAsReference(await (await backend.plan(describeProblem(poisoned))).run(poisoned), poisoned);
  await backend.dispose();
});

test("blocks that their program hides in part, NaN in what it hides, and tables that change", async () => {
  const { backend, runs } = await watchedHeads();
  const numbers = new Numbers(14);
  const sizes = { batch, heads, queryLength: length, keyLength: length };
  const ids = Int32Array.from({ length }, (_, n) => n % 3);
  const kinds = p.table(tensor(ids, [length]));
  const maskMod = p.maskMod(({ batch, head, query, queryIndex, key }) =>
    p.and(
      p.equal(
        p.floorDivide(queryIndex, 32),
        p.remainder(p.add(p.floorDivide(key, 32), p.add(head, batch)), 4),
      ),
      // A query of three sees nothing, and nothing sees a key of three.
      p.less(p.add(kinds.at(key), p.remainder(query, 3)), 2),
    ),
  );
  const queryOffset = 7;
  const blockMask = p.createBlockMask(maskMod, {
    ...sizes,
    queryBlock: 16,
    keyBlock: 32,
    queryOffset,
  });
  expect(blockMask.counts.full).toBe(0);
  const call = { ...inputs(numbers), maskMod, blockMask, queryOffset };
  const plan = await backend.plan(describeProblem(call));
  expectAsReference(await plan.run(call), call);
  const hidden = { ...inputs(numbers), maskMod, blockMask, queryOffset };
  for (const t of [hidden.key, hidden.value]) {
    const size = t.shape[3] as number;
    for (let row = 0; row < batch * kvHeads * length; row++) {
      if ((row % length) % 3 !== 0) {
        (t.data as Float32Array).fill(Number.NaN, row * size, (row + 1) * size);
      }
    }
  }
  expectAsReference(await plan.run(hidden), hidden);
  ids.reverse();
  expectAsReference(await plan.run(call), call);
  expect(new Set(runs)).toEqual(new Set([1]));
  await backend.dispose();
});

test("blocks of another program, all of whose keys are asked for, alike in all heads", async () => {
  const { backend, runs } = await watchedHeads();
  const sizes = { queryLength: length, keyLength: length, queryBlock: 16, keyBlock: 32 };
  const quarter = p.maskMod(({ queryIndex, keyIndex }) =>
    p.equal(p.floorDivide(queryIndex, 32), p.floorDivide(keyIndex, 32)),
  );
  const other = p.maskMod(({ queryIndex, keyIndex }) =>
    p.less(p.remainder(p.add(queryIndex, keyIndex), 3), 2),
  );
  const call = {
    ...inputs(new Numbers(15)),
    maskMod: other,
    blockMask: p.createBlockMask(quarter, sizes),
  };
  const plan = await backend.plan(describeProblem(call));
  expectAsReference(await plan.run(call), call);
  expect(new Set(runs)).toEqual(new Set([1]));
  await backend.dispose();
});

test("many blocks, and fewer of those that are partial, take the whole matrix", async () => {
  const { backend, runs } = await watchedHeads();
  const sizes = { queryLength: length, keyLength: length, queryBlock: 16, keyBlock: 32 };
  const near = p.maskMod(({ queryIndex, keyIndex }) =>
    p.less(p.abs(p.subtract(queryIndex, keyIndex)), 9),
  );
  const other = p.maskMod(({ queryIndex, keyIndex }) =>
    p.less(p.remainder(p.add(queryIndex, keyIndex), 3), 2),
  );
  const most = p.maskMod(({ keyIndex }) => p.less(keyIndex, 96));
  const half = p.maskMod(({ keyIndex }) => p.less(keyIndex, 64));
  for (const more of [
    { maskMod: near, blockMask: p.createBlockMask(near, sizes) },
    { maskMod: other, blockMask: p.createBlockMask(half, sizes) },
    { blockMask: p.createBlockMask(most, sizes) },
  ]) {
    const call = { ...inputs(new Numbers(13)), ...more };
    const plan = await backend.plan(describeProblem(call));
    expectAsReference(await plan.run(call), call);
  }
  expect(new Set(runs)).toEqual(new Set([heads]));
  await backend.dispose();
});

test("masks, biases, ALiBi, score programs that add, causal and windows, written for the visited keys", async () => {
  const { backend, runs } = await watchedHeads();
  const numbers = new Numbers(16);
  const sizes = { batch, heads, queryLength: length, keyLength: length };
  const blocks = { queryBlock: 16, keyBlock: 32 };
  const kinds = p.table(numbers.tensor(heads, 5) as HostTensor<"float32">);
  const added = p.scoreMod(({ score, head, query, key }) =>
    p.add(kinds.at(head, p.remainder(p.subtract(query, key), 5)), score),
  );
  const quarter = p.maskMod(({ queryIndex, keyIndex, head }) =>
    p.and(
      p.equal(
        p.floorDivide(queryIndex, 32),
        p.remainder(p.add(p.floorDivide(keyIndex, 32), head), 4),
      ),
      p.notEqual(p.remainder(p.add(keyIndex, queryIndex), 7), 0),
    ),
  );
  const hidden = (...shape: number[]) =>
    tensor(
      Array.from({ length: shape.reduce((a, b) => a * b) }, (_, n) => n % 5 !== 0),
      shape,
    );
  const bias = numbers.tensor(1, heads, length, length);
  (bias.data as Float32Array).fill(Number.NEGATIVE_INFINITY, 3 * length, 3 * length + 40);
  const slopes = Float32Array.of(0.5, 0.25, 0.125, -0.1);
  for (const more of [
    { mask: hidden(batch, 1, 1, length) },
    { mask: hidden(1, heads, length, length), queryOffset: 3 },
    { bias },
    { bias: numbers.tensor(batch, 1, 1, length), queryOffset: -5, causal: true },
    { alibiSlopes: slopes, queryOffset: 4 },
    { scoreMod: added, queryOffset: 4 },
    { scoreMod: added, bias, alibiSlopes: slopes, mask: hidden(1, 1, length, length), softcap: 3 },
    { causal: true },
    { window: { left: 20, right: 9 }, queryOffset: 2 },
  ] satisfies Partial<AttentionInputs<HostTensor>>[]) {
    const offset = (more as { queryOffset?: number }).queryOffset ?? 0;
    const blockMask = p.createBlockMask(quarter, { ...sizes, ...blocks, queryOffset: offset });
    for (const rules of [{ maskMod: quarter, blockMask }, { blockMask: fewBlocks() }]) {
      const call = { ...inputs(numbers), ...rules, ...more };
      const plan = await backend.plan(describeProblem(call));
      expectAsReference(await plan.run(call), call);
    }
  }
  expect(new Set(runs)).toEqual(new Set([1]));
  await backend.dispose();
});

test("score programs that do more than add, or add what is not finite, take the whole matrix", async () => {
  const { backend, runs } = await watchedHeads();
  const factors = p.table(tensor(Float32Array.of(1, Number.NEGATIVE_INFINITY), [2]));
  for (const scoreMod of [
    p.scoreMod(({ score }) => p.multiply(score, 0.5)),
    p.scoreMod(({ score }) => p.add(score, p.multiply(score, 2))),
    p.scoreMod(({ score, key }) => p.add(score, factors.at(p.remainder(key, 2)))),
  ]) {
    const call = { ...inputs(new Numbers(17)), blockMask: someBlocks(), scoreMod };
    const plan = await backend.plan(describeProblem(call));
    expectAsReference(await plan.run(call), call);
  }
  expect(new Set(runs)).toEqual(new Set([heads]));
  await backend.dispose();
});
