import { js } from "@heed/backend-js";
import { type Attention, createAttention, zeros } from "@heed/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CacheOptions, createCache } from "../src/index.js";

let attention: Attention;
beforeAll(async () => {
  attention = await createAttention({ backends: [js()] });
});
afterAll(() => attention.dispose());

const sizes = { batch: 2, kvHeads: 1, headDim: 2 } as const;
const kinds: Readonly<Record<string, CacheOptions>> = {
  static: { ...sizes, capacity: 40 },
  paged: { ...sizes, kind: "paged", capacity: 80, pageSize: 4 },
  rolling: { ...sizes, kind: "rolling", capacity: 24, window: 12, keep: 2 },
};
const rows = (n: number) => {
  const t = zeros("float32", [2, 1, n, 2]);
  return { key: t, value: t };
};

test.each(Object.keys(kinds))(
  "the inputs of a step of a %s cache are in the arrays of the one before",
  async (kind) => {
    const cache = await createCache(attention, kinds[kind] as CacheOptions);
    await cache.append(rows(5));
    await cache.append(rows(1));
    const { kvLengths, keyPositions, queryPositions, pageTable } = cache.inputs();
    await cache.append({ ...rows(1), lengths: [1, 0] });
    const after = cache.inputs();
    expect(after.kvLengths).toBe(kvLengths);
    expect(after.keyPositions).toBe(keyPositions);
    expect(after.queryPositions).toBe(queryPositions);
    expect(after.pageTable).toBe(pageTable);
    expect(kvLengths).toEqual(Int32Array.of(7, 6));
    cache.dispose();
  },
);

test("inputs for queries of one length stay as they are when others are asked for", async () => {
  const cache = await createCache(attention, kinds.rolling as CacheOptions);
  for (let i = 0; i < 20; i++) await cache.append(rows(1));
  const one = cache.inputs({ queryLength: 1 });
  const expected = structuredClone(one);
  const three = cache.inputs({ queryLength: 3 });
  // Kept tokens come before the window of the first row, whose position is another one.
  expect(three.keyPositions).not.toEqual(expected.keyPositions);
  expect(one).toEqual(expected);
  const own = cache.inputs({ queryLength: 1, ownPositions: true });
  expect(own.keyPositions).not.toEqual(expected.keyPositions);
  expect(own.mask).toBeDefined();
  expect(cache.inputs({ queryLength: 1, window: 3 }).window).toEqual({ left: 3 });
  expect(one).toEqual(expected);
  expect(cache.inputs({ queryLength: 1 })).toEqual(expected);
  cache.dispose();
});

test("what is written to given inputs does not change the cache", async () => {
  const cache = await createCache(attention, kinds.static as CacheOptions);
  await cache.append(rows(3));
  cache.inputs().kvLengths.fill(40);
  expect(cache.lengths).toEqual([3, 3]);
  expect(cache.inputs().kvLengths).toEqual(Int32Array.of(3, 3));
  cache.dispose();
});
