import { type Cache, type CacheOptions, createCache } from "@heed/cache";
import { type Attention, type HostTensor, slice, toFloat64 } from "@heed/core";
import { type MultiHeadAttentionOptions, multiHeadAttention } from "@heed/layers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attentionOn, providers, refusalOf } from "../../../test/backends.js";
import { bools, expectClose, floats, weightsOf } from "./calls.js";

const sizes = { kvHeads: 2, headDim: 8, batch: 2 };
const kinds: Readonly<Record<string, CacheOptions>> = {
  static: { ...sizes, capacity: 16 },
  paged: { ...sizes, kind: "paged", capacity: 32, pageSize: 4 },
  rolling: { ...sizes, kind: "rolling", window: 3, capacity: 9 },
};

const rows = (t: HostTensor, from: number, to: number) => slice(t, 1, from, to) as HostTensor;

const options = (window?: number): MultiHeadAttentionOptions => ({
  queryHeads: 4,
  kvHeads: 2,
  weights: weightsOf(),
  rotary: { theta: 100 },
  causal: true,
  ...(window !== undefined && { window: { left: window } }),
});

describe.each(Object.keys(providers))("layers over caches on %s", (backend) => {
  let attention: Attention | null;
  beforeAll(async () => {
    attention = await attentionOn(backend);
  }, 60_000);
  afterAll(() => attention?.dispose());

  test.for(Object.entries(kinds))("%s", async ([kind, of], context) => {
    if (attention === null) return context.skip(`${backend} is not available`);
    const given = attention;
    const layer = await multiHeadAttention(given, options(of.window));
    const refused = await refusalOf(async () => {
      const cache = await createCache(given, of);
      const query = floats(2, 12, 24);
      const whole = await layer.run({ query });
      let from = 0;
      for (const n of [4, 1, 2, 1, 1, 3]) {
        const { output } = await layer.run({ query: rows(query, from, from + n), cache });
        expectClose(output, toFloat64(rows(whole.output, from, from + n)));
        from += n;
      }
      expect(cache.lengths).toEqual([12, 12]);
      // Drafts that are taken back, and padding.
      cache.truncate([11, 11]);
      const keyPadding = bools([1, 0, 0, 0], 2, 2);
      await layer.run({ query: rows(query, 10, 12), cache, keyPadding });
      expect(cache.lengths).toEqual([12, 11]);
      cache.dispose();
    });
    layer.dispose();
    if (refused !== null) context.skip(`${backend} refuses a ${kind} cache: ${refused}`);
  });

  test("cross-attention over a cache that the encoder filled once", async (context) => {
    if (attention === null) return context.skip(`${backend} is not available`);
    const crossing = { queryHeads: 4, kvHeads: 2, weights: weightsOf({ keySize: 12 }) };
    const layer = await multiHeadAttention(attention, crossing);
    const cache = await createCache(attention, { ...sizes, capacity: 7 });
    const [query, key] = [floats(2, 5, 24), floats(2, 7, 12)];
    const keyPadding = bools([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0], 2, 7);
    const whole = await layer.run({ query, key, keyPadding });
    const first = await layer.run({ query: rows(query, 0, 2), key, keyPadding, cache });
    expectClose(first.output, toFloat64(rows(whole.output, 0, 2)));
    for (const [from, to] of [
      [2, 3],
      [3, 5],
    ] as const) {
      const { output } = await layer.run({ query: rows(query, from, to), cache, append: false });
      expectClose(output, toFloat64(rows(whole.output, from, to)));
    }
    expect(cache.lengths).toEqual([7, 3]);
    cache.dispose();
    layer.dispose();
  });

  test("a layer without a rotary turns queries as its cache turns keys", async (context) => {
    if (attention === null) return context.skip(`${backend} is not available`);
    const { rotary, ...plain } = options();
    const turning = await multiHeadAttention(attention, { ...plain, rotary });
    const layer = await multiHeadAttention(attention, plain);
    const cache = await createCache(attention, { ...sizes, capacity: 8, rotary: rotary as object });
    const query = floats(2, 6, 24);
    const whole = await turning.run({ query });
    for (const [from, to] of [
      [0, 4],
      [4, 5],
      [5, 6],
    ] as const) {
      const { output } = await layer.run({ query: rows(query, from, to), cache });
      expectClose(output, toFloat64(rows(whole.output, from, to)));
    }
    for (const one of [cache, layer, turning]) one.dispose();
  });

  test("a query on a device, over several rows and one", async (context) => {
    if (attention === null) return context.skip(`${backend} is not available`);
    const layer = await multiHeadAttention(attention, options());
    if (layer.backend === null) return context.skip(`${backend} has no memory of its own`);
    const cache = await createCache(attention, { ...sizes, capacity: 16 });
    expect(cache.backend).toBe(layer.backend);
    const query = floats(2, 5, 24);
    const whole = await layer.run({ query });
    for (const [from, to] of [
      [0, 4],
      [4, 5],
    ] as const) {
      const there = await attention.upload(rows(query, from, to));
      const { output } = await layer.run({ query: there, cache });
      expectClose(await output.read(), toFloat64(rows(whole.output, from, to)));
      for (const t of [there, output]) t.dispose();
    }
    cache.dispose();
    layer.dispose();
  });
});

test("a cache that turns keys by itself is an error beside a layer's rotary", async () => {
  const attention = (await attentionOn("js")) as Attention;
  const layer = await multiHeadAttention(attention, options());
  const cache = await createCache(attention, { ...sizes, capacity: 8, rotary: { theta: 100 } });
  const run = layer.run({ query: floats(2, 1, 24), cache });
  await expect(run).rejects.toMatchObject({ code: "invalid-input", argument: "cache" });
  expect(cache.lengths).toEqual([0, 0]);
});

test("a full cache, and one of other sizes, are errors that name what is wrong", async () => {
  const attention = (await attentionOn("js")) as Attention;
  const layer = await multiHeadAttention(attention, options());
  const full = await createCache(attention, { ...sizes, capacity: 2 });
  const run = (cache: Cache, n: number) => layer.run({ query: floats(2, n, 24), cache });
  await expect(run(full, 3)).rejects.toMatchObject({ code: "invalid-input", argument: "key" });
  expect(full.lengths).toEqual([0, 0]);
  const other = await createCache(attention, { ...sizes, headDim: 16, capacity: 8 });
  await expect(run(other, 1)).rejects.toMatchObject({ code: "invalid-input" });
  expect(other.lengths).toEqual([0, 0]);
  full.dispose();
  await expect(run(full, 1)).rejects.toMatchObject({ code: "disposed" });
});
