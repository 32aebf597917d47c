import {
  type AttentionInputs,
  type Backend,
  describeProblem,
  type HostTensor,
  referenceAttention,
  tensor,
  toFloat64,
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
import { afterAll, beforeAll, expect, test } from "vitest";
import { backendOver, loadThreads } from "./backends.js";

let state = 1;
const random = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return (state >>> 8) / 2 ** 24 - 0.5;
};
const values = (...shape: readonly number[]): HostTensor<"float32"> =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 4 * random()),
    shape,
  );
const positions = (rows: number, length: number): HostTensor<"int32"> =>
  tensor(
    Int32Array.from({ length: rows * length }, () => Math.floor((random() + 0.5) * 2 * length)),
    [rows, length],
  );

const ids = tensor(
  Int32Array.from({ length: 2 * 150 }, (_, i) => Math.floor((i % 150) / 37)),
  [2, 150],
);
const slopes = table(tensor(Float32Array.of(0.5, 0.25, -0.125, 1), [4]));
const cap = scalar(2.5);
const distance = scalar(40);

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
  "by keys alone": maskMod(({ key }) => less(remainder(key, 48), 20)),
  "by index": maskMod(({ queryIndex, keyIndex }) => not(less(queryIndex, keyIndex))),
  "some rows": maskMod(({ queryIndex }) => less(remainder(queryIndex, 64), 40)),
  "as near as a scalar says": maskMod(({ query, key }) => less(subtract(query, key), distance)),
};
const scores: Readonly<Record<string, ScoreProgram>> = {
  slopes: scoreMod(({ score, head, query, key }) =>
    add(score, multiply(slopes.at(head), subtract(key, query))),
  ),
  softcap: scoreMod(({ score }) => multiply(tanh(multiply(score, 1 / 2.5)), cap)),
  hiding: scoreMod(({ score, query, key }) =>
    where(lessEqual(key, query), score, Number.NEGATIVE_INFINITY),
  ),
  "of keys alone": scoreMod(({ key }) => multiply(key, 0.01)),
  itself: scoreMod(({ score }) => score),
};

const pick = <T>(...choices: readonly T[]): T =>
  choices[Math.floor((random() + 0.5) * choices.length)] as T;
const upTo = (most: number): number => 1 + Math.floor((random() + 0.5) * most);

type Call = AttentionInputs<HostTensor>;

/** Queries, keys and values of random sizes, in a random kind of storage, and sizes of a block mask for it. */
function randomStorage(): Call & { readonly mayHaveBlocks: boolean } {
  const batch = pick(1, 2);
  const [heads, kvHeads] = pick([1, 1], [2, 2], [4, 2], [3, 1]) as [number, number];
  const queries = pick(1, 3, upTo(120), upTo(300));
  const keys = upTo(300);
  const plain = {
    query: values(batch, heads, queries, 8),
    key: values(batch, kvHeads, keys, 8),
    value: values(batch, kvHeads, keys, 5),
  };
  switch (pick("plain", "plain", "pages", "ragged", "positions")) {
    case "pages":
      return {
        ...plain,
        key: values(9, kvHeads, 30, 8),
        value: values(9, kvHeads, 30, 5),
        pageTable: tensor(Int32Array.from([7, 1, 4, 0, 8, -1].slice(0, 3 * batch)), [batch, 3]),
        kvLengths: [83, 44].slice(0, batch),
        queryOffset: pick<Call["queryOffset"]>(0, 40, "bottom-right"),
        mayHaveBlocks: false,
      };
    case "ragged": {
      const middle = Math.floor(queries / 3);
      return {
        query: values(1, heads, queries, 8),
        key: values(1, kvHeads, keys, 8),
        value: values(1, kvHeads, keys, 5),
        queryStarts: [0, middle, middle, queries],
        keyStarts: [0, Math.floor(keys / 2), Math.floor(keys / 2), keys],
        queryOffset: pick<Call["queryOffset"]>(0, "bottom-right"),
        mayHaveBlocks: false,
      };
    }
    case "positions":
      return {
        ...plain,
        queryPositions: positions(pick(1, batch), queries),
        keyPositions: positions(pick(1, batch), keys),
        mayHaveBlocks: false,
      };
    default:
      return { ...plain, queryOffset: pick(0, -5, 17), mayHaveBlocks: true };
  }
}

function randomCall(): Call {
  const { mayHaveBlocks, ...call } = randomStorage();
  cap.value = 2 + random();
  distance.value = upTo(200);
  const mask = pick(undefined, ...Object.values(masks));
  const score = pick(undefined, undefined, ...Object.values(scores));
  const [batch, heads, queryLength] = call.query.shape as [number, number, number];
  const keyLength = call.key.shape[2] as number;
  const { queryOffset } = call;
  const blocks = () =>
    createBlockMask(mask ?? causal(), {
      ...{ batch, heads, queryLength, keyLength, queryOffset },
      ...{ queryBlock: pick(8, 64, upTo(80)), keyBlock: pick(16, 64, upTo(200)) },
    });
  const ofData = () => {
    const { queryBlock, keyBlock, mask } = blocks();
    return { queryBlock, keyBlock, mask };
  };
  const blockMask = mayHaveBlocks && pick(undefined, blocks, ofData)?.();
  const single = call.queryStarts === undefined;
  return {
    ...call,
    ...(mask && { maskMod: mask }),
    ...(score && { scoreMod: score }),
    ...(blockMask && { blockMask }),
    ...pick<Partial<Call>>(
      {},
      {},
      { causal: true },
      { window: { left: 9, right: 90 } },
      { softcap: 3 },
    ),
    ...pick<Partial<Call>>({}, { alibiSlopes: Array.from({ length: heads }, (_, h) => h / 8) }),
    ...(single && pick<Partial<Call>>({}, {}, { bias: sometimesInfinite(queryLength) })),
    returns: pick<Call["returns"]>(
      { logSumExp: true },
      ...(single ? [{ weights: true }, { scores: "biased" as const, logSumExp: true }] : []),
    ),
  };
}

/** A bias of one number a query, some of which hide all keys. */
function sometimesInfinite(queryLength: number): HostTensor<"float32"> {
  const bias = Float32Array.from({ length: queryLength }, () =>
    random() < -0.4 ? Number.NEGATIVE_INFINITY : random(),
  );
  return tensor(bias, [queryLength, 1]);
}

const backends: Record<string, Backend> = {};

beforeAll(async () => {
  const limits = { sharedWork: 0, leastSplitKeys: 16 };
  backends.baseline = await backendOver(await loadThreads({ simd: "baseline", threads: 1 }));
  backends["two threads"] = await backendOver(await loadThreads({ threads: 2 }), limits);
});
afterAll(() => {
  for (const backend of Object.values(backends)) backend.dispose();
});

const close = (a: number, b: number): boolean =>
  Object.is(a, b) || Math.abs(a - b) <= 1e-4 * Math.max(1, Math.abs(b));

test("programs and block masks give what the reference gives", async () => {
  for (let n = 0; n < 150; n++) {
    const call = randomCall();
    const expected = referenceAttention(call) as unknown as Record<string, HostTensor>;
    for (const [name, backend] of Object.entries(backends)) {
      const plan = await backend.plan(describeProblem(call));
      const given = (await plan.run(call)) as unknown as Record<string, HostTensor>;
      for (const [output, t] of Object.entries(given)) {
        const right = toFloat64(expected[output] as HostTensor);
        const wrong = toFloat64(t).findIndex((x, at) => !close(x, right[at] as number));
        if (wrong < 0) continue;
        const problem = describeProblem(call).key;
        expect([name, n, problem, output, wrong, t.data[wrong]]).toEqual(right[wrong]);
      }
      plan.dispose();
    }
  }
});

test("a plan sees scalars, tables and offsets that have changed since its last call", async () => {
  const backend = backends.baseline as Backend;
  const starts = tensor(new Int32Array(200), [1, 200]);
  const near = maskMod(({ query, key }) => less(subtract(query, key), distance));
  const program = maskMod(and(near, document(starts)));
  const call = {
    query: values(1, 2, 200, 8),
    key: values(1, 2, 200, 8),
    value: values(1, 2, 200, 8),
    maskMod: program,
  };
  const plan = await backend.plan(describeProblem({ ...call, queryOffset: 0 }));
  let queryOffset = 0;
  const changes: readonly (() => unknown)[] = [
    () => 0,
    () => (distance.value = 30),
    () => (distance.value = 150),
    () => starts.data.fill(1, 60),
    () => (queryOffset = 25),
    () => starts.data.fill(2, 130),
  ];
  for (const [n, change] of changes.entries()) {
    change();
    const given = toFloat64((await plan.run({ ...call, queryOffset })).output as HostTensor);
    const right = toFloat64(referenceAttention({ ...call, queryOffset }).output);
    const wrong = given.findIndex((x, at) => !close(x, right[at] as number));
    expect([n, wrong]).toEqual([n, -1]);
  }
  plan.dispose();
});
