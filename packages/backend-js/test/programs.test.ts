import {
  type AttentionInputs,
  createAttention,
  type HostTensor,
  referenceAttention,
  tensor,
} from "@heed/core";
import {
  bigBird,
  bigBirdRandomBlocks,
  causal,
  dilated,
  document,
  slidingWindow,
} from "@heed/core/masks";
import {
  add,
  and,
  createBlockMask,
  less,
  lessEqual,
  type MaskProgram,
  maskMod,
  multiply,
  not,
  remainder,
  type ScoreProgram,
  scalar,
  scoreMod,
  subtract,
  table,
  tanh,
  where,
} from "@heed/core/program";
import { expect, test } from "vitest";
import { js } from "../src/index.js";

let state = 1;
const random = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return (state >>> 8) / 2 ** 24 - 0.5;
};
const values = (shape: readonly number[]): HostTensor<"float32"> =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 4 * random()),
    shape,
  );

const ids = tensor(
  Int32Array.from({ length: 2 * 150 }, (_, i) => Math.floor((i % 150) / 37)),
  [2, 150],
);
const slopes = table(tensor(Float32Array.of(0.5, 0.25, -0.125, 1), [4]));
const cap = scalar(2.5);

const masks: Readonly<Record<string, MaskProgram>> = {
  causal: causal(),
  window: slidingWindow({ left: 20, right: 3 }),
  documents: maskMod(and(causal(), document(ids))),
  dilated: dilated({ dilation: 3 }),
  bigBird: bigBird({
    length: 150,
    block: 8,
    random: bigBirdRandomBlocks({ length: 150, block: 8, heads: 4, count: 2, seed: 1 }),
  }),
  "of head and batch": maskMod(({ batch, head, query, key }) =>
    less(remainder(add(query, multiply(key, add(head, 2))), 5), add(batch, 2)),
  ),
  nothing: maskMod(false),
  everything: maskMod(true),
  "by index": maskMod(({ queryIndex, keyIndex }) => not(less(queryIndex, keyIndex))),
  "some rows": maskMod(({ queryIndex }) => less(remainder(queryIndex, 64), 40)),
};
const scores: Readonly<Record<string, ScoreProgram>> = {
  slopes: scoreMod(({ score, head, query, key }) =>
    add(score, multiply(slopes.at(head), subtract(key, query))),
  ),
  softcap: scoreMod(({ score }) => multiply(tanh(multiply(score, 1 / 2.5)), cap)),
  hiding: scoreMod(({ score, query, key }) =>
    where(lessEqual(key, query), score, Number.NEGATIVE_INFINITY),
  ),
};

const pick = <T>(...choices: readonly T[]): T =>
  choices[Math.floor((random() + 0.5) * choices.length)] as T;
const upTo = (most: number): number => 1 + Math.floor((random() + 0.5) * most);

/** A call of random sizes, programs and rules. */
function randomCall(): AttentionInputs<HostTensor> {
  const batch = pick(1, 2);
  const [queryHeads, kvHeads] = pick([1, 1], [2, 2], [4, 2]) as [number, number];
  const [queryLength, keyLength] = [upTo(120), upTo(120)];
  const queryOffset = pick(0, -5, 17);
  const mask = pick(undefined, ...Object.values(masks));
  const sizes = { batch, heads: queryHeads, queryLength, keyLength, queryOffset };
  const blocks = { ...sizes, queryBlock: upTo(80), keyBlock: upTo(80) };
  return {
    query: values([batch, queryHeads, queryLength, 8]),
    key: values([batch, kvHeads, keyLength, 8]),
    value: values([batch, kvHeads, keyLength, 5]),
    queryOffset,
    maskMod: mask,
    scoreMod: pick(undefined, ...Object.values(scores)),
    blockMask: pick(undefined, createBlockMask(mask ?? causal(), blocks)),
    ...pick({}, { causal: true }, { window: { left: 9, right: 30 } }, { softcap: 3 }),
    returns: pick<AttentionInputs["returns"]>(
      { logSumExp: true },
      { weights: true },
      { scores: "biased", logSumExp: true },
    ),
  };
}

test("programs and block masks give what the reference gives", async () => {
  const attention = await createAttention({ backends: [js()] });
  for (let n = 0; n < 60; n++) {
    const inputs = randomCall();
    const { backend: _, ...given } = await attention.run(inputs);
    const expected = referenceAttention(inputs) as unknown as Record<string, HostTensor>;
    for (const [name, t] of Object.entries(given as unknown as Record<string, HostTensor>)) {
      const right = (expected[name] as HostTensor).data;
      const wrong = Array.from(t.data as Float32Array).findIndex(
        (x, at) => !close(x, right[at] as number),
      );
      expect([n, name, wrong, t.data[wrong]]).toEqual([n, name, -1, undefined]);
    }
  }
  await attention.dispose();
});

const close = (a: number, b: number): boolean =>
  Object.is(a, b) || Math.abs(a - b) <= 1e-5 * Math.max(1, Math.abs(b));
