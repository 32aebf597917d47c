/** Expectations of keys and programs that a backend leaves alone, as far as results show it. */
import {
  type AttentionInputs,
  type AttentionOutputs,
  type Backend,
  describeProblem,
  type HostTensor,
  tensor,
  toFloat64,
} from "@heed/core";
import { createBlockMask, equal, maskMod, table } from "@heed/core/program";
import { expect } from "vitest";
import { RandomCalls } from "./random-calls.js";

const [heads, length, block, size] = [2, 256, 64, 16];

type Call = AttentionInputs<HostTensor>;

function plain(): Call {
  const random = new RandomCalls();
  const values = () => random.values(1, heads, length, size);
  return { query: values(), key: values(), value: values(), returns: { logSumExp: true } };
}

async function run(backend: Backend, call: Call): Promise<readonly Float64Array[]> {
  const plan = await backend.plan(describeProblem(call));
  const { output, logSumExp } = (await plan.run(call)) as AttentionOutputs<HostTensor>;
  plan.dispose();
  return [output, logSumExp as HostTensor].map((t) => toFloat64(t));
}

/**
 * Expects that full blocks do not ask the mask program: a table that changes after the block mask was made, which no
 * call should have, changes nothing in them.
 */
export async function expectFullBlocksUnasked(backend: Backend): Promise<void> {
  const ids = Int32Array.from({ length }, (_, at) => Math.floor(at / block));
  const documents = table(tensor(ids, [length]));
  const mask = maskMod(({ query, key }) => equal(documents.at(query), documents.at(key)));
  const sizes = { queryLength: length, keyLength: length, queryBlock: block, keyBlock: block };
  const call = { ...plain(), maskMod: mask, blockMask: createBlockMask(mask, sizes) };
  const before = await run(backend, call);
  ids.set(ids.map((_, at) => at));
  expect(await run(backend, call)).toEqual(before);
}

/**
 * Expects that NaN and infinities of keys and values in blocks that no row visits, and of those that a mask program
 * hides in blocks that are visited, stay where they are.
 *
 * @param kinds of numbers to fill the hidden keys and values with
 */
export async function expectHiddenBlocksUnread(
  backend: Backend,
  kinds: readonly { readonly key: number; readonly value: number }[],
): Promise<void> {
  const blocks = Array.from({ length: 16 }, (_, at) => at % 4 === 0 || at % 4 === 3);
  const blockMask = {
    mask: tensor(blocks, [1, 1, 4, 4]),
    queryBlock: block,
    keyBlock: block,
  };
  const ofProgram = Int32Array.from({ length }, (_, at) => Number(blocks[Math.floor(at / block)]));
  const shown = table(tensor(ofProgram, [length]));
  const rules: Record<string, Pick<Call, "maskMod" | "blockMask">> = {
    "a block mask": { blockMask },
    "a program": { maskMod: maskMod(({ key }) => equal(shown.at(key), 1)) },
  };
  for (const [name, rule] of Object.entries(rules)) {
    const clean = await run(backend, { ...plain(), ...rule });
    for (const { key, value } of kinds) {
      const call = { ...plain(), ...rule };
      for (let h = 0; h < heads; h++) {
        const [from, to] = [(h * length + block) * size, (h * length + 3 * block) * size];
        call.key.data.fill(key as never, from, to);
        call.value.data.fill(value as never, from, to);
      }
      expect([name, key, value, ...(await run(backend, call))]).toEqual([
        name,
        key,
        value,
        ...clean,
      ]);
    }
  }
}

/** Numbers that are not finite, of keys alone, of values alone, and of both. */
export const notFinite: readonly { readonly key: number; readonly value: number }[] = [
  { key: 0, value: Number.NaN },
  { key: 0, value: Number.POSITIVE_INFINITY },
  { key: Number.NaN, value: 0 },
  { key: Number.NEGATIVE_INFINITY, value: Number.NaN },
];
