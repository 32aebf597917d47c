/** Programs, block masks, windows and ALiBi of layers, with and without caches, by the places of tokens. */
import { type CacheOptions, createCache } from "@heed/cache";
import { type Attention, type HostTensor, tensor, toFloat64 } from "@heed/core";
import {
  abs,
  add,
  createBlockMask,
  equal,
  maskMod,
  multiply,
  or,
  remainder,
  scoreMod,
  subtract,
  table,
} from "@heed/core/program";
import { type MultiHeadAttentionOptions, multiHeadAttention } from "@heed/layers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attentionOn, providers, refusalOf } from "../../../test/backends.js";
import { bools, causalLayer, expectClose, floats, rows } from "./calls.js";
import { naiveLayer } from "./naive.js";

const length = 14;
const sizes = { kvHeads: 2, headDim: 8, batch: 2 };
const kept = { window: 4, keep: 2 };
const kinds: Readonly<Record<string, CacheOptions>> = {
  static: { ...sizes, capacity: 16 },
  paged: { ...sizes, kind: "paged", capacity: 32, pageSize: 4, maxLength: 16 },
  rolling: { ...sizes, kind: "rolling", capacity: 14, ...kept },
};
/** Tokens of calls one after another; some are more than a window. */
const chunks = [5, 1, 6, 1, 1];

const documentOf = (b: number, t: number) => Math.floor((t + 2 * b) / 5);
const documents = table(
  tensor(
    Int32Array.from({ length: 2 * length }, (_, at) =>
      documentOf(Math.floor(at / length), at % length),
    ),
    [2, length],
  ),
);
/** Keys of the query's own document, and every fourth token. */
const visible = maskMod(({ batch, query, key }) =>
  or(equal(documents.at(batch, query), documents.at(batch, key)), equal(remainder(key, 4), 0)),
);
const nearer = scoreMod(({ score, head, query, key }) =>
  add(score, multiply(multiply(-0.25, add(head, 1)), abs(subtract(query, key)))),
);

/** `[2, 1, length, length]`: what `visible` shows, and a rolling cache, if there is one. */
function maskOf(rolling: boolean, programs = true): HostTensor {
  const values = Array.from({ length: 2 * length * length }, (_, at) => {
    const [b, i, j] = [Math.floor(at / length ** 2), Math.floor(at / length) % length, at % length];
    const own = !programs || documentOf(b, i) === documentOf(b, j) || j % 4 === 0;
    return own && (!rolling || j >= i - kept.window || j < kept.keep) ? 1 : 0;
  });
  return bools(values, 2, 1, length, length);
}

/** `[4, length, length]`: a slope of each head times the distance. */
function biasOf(slopes: readonly number[]): HostTensor {
  const values = Float32Array.from({ length: 4 * length * length }, (_, at) => {
    const [h, i, j] = [Math.floor(at / length ** 2), Math.floor(at / length) % length, at % length];
    return (slopes[h] as number) * Math.abs(i - j);
  });
  return tensor(values, [4, length, length]);
}
const bias = biasOf([-0.25, -0.5, -0.75, -1]);

describe.each(Object.keys(providers))("programs of layers on %s", (backend) => {
  let attention: Attention | null;
  beforeAll(async () => {
    attention = await attentionOn(backend);
  }, 60_000);
  afterAll(() => attention?.dispose());

  test("without a cache", async (context) => {
    if (attention === null) return context.skip(`${backend} is not available`);
    const given = causalLayer();
    const layer = await multiHeadAttention(attention, given);
    const query = floats(2, length, 24);
    const wanted = naiveLayer(given, { query, mask: maskOf(false), bias });
    const lengths = { queryLength: length, keyLength: length, queryBlock: 4, keyBlock: 2 };
    const blockMask = createBlockMask(visible, { ...lengths, batch: 2 });
    expect(blockMask.counts.empty).toBeGreaterThan(0);
    for (const programs of [{ maskMod: visible }, { blockMask }]) {
      const { output } = await layer.run({ query, scoreMod: nearer, ...programs });
      expectClose(output, wanted.output);
    }
    const mask = bools([1, ...new Array(length - 1).fill(0)], 1, length);
    const data = { mask: bools([1, 0, 0, 0], 1, 1, 1, 4), queryBlock: length, keyBlock: 4 };
    const { output } = await layer.run({ query, mask, blockMask: data });
    expectClose(output, naiveLayer(given, { query, mask }).output);
    layer.dispose();
  });

  test.for(Object.entries(kinds))("%s cache", async ([kind, of], context) => {
    if (attention === null) return context.skip(`${backend} is not available`);
    const running = attention;
    const given = causalLayer();
    const layer = await multiHeadAttention(running, given);
    const refused = await refusalOf(async () => {
      const cache = await createCache(running, of);
      const rolling = kind === "rolling";
      const query = floats(2, length, 24);
      const wanted = naiveLayer(given, { query, mask: maskOf(rolling), bias });
      const whole = tensor(Float32Array.from(wanted.output), [2, length, 24]);
      let from = 0;
      for (const n of chunks) {
        const blocks = { batch: 2, queryLength: n, keyLength: 16, queryBlock: 2, keyBlock: 4 };
        const blockMask = rolling
          ? undefined
          : createBlockMask(visible, { ...blocks, queryOffset: cache.positions });
        const { output } = await layer.run({
          query: rows(query, from, from + n),
          cache,
          maskMod: visible,
          scoreMod: nearer,
          blockMask,
        });
        expectClose(output, toFloat64(rows(whole, from, from + n)));
        from += n;
      }
      cache.dispose();
    });
    layer.dispose();
    if (refused !== null) context.skip(`${backend} refuses a ${kind} cache: ${refused}`);
  });
});

describe("a rolling cache that keeps first tokens, in chunks of any size", () => {
  let attention: Attention;
  beforeAll(async () => {
    attention = (await attentionOn("js")) as Attention;
  });
  afterAll(() => attention.dispose());

  const slopes = [0.25, 0.5, 0.75, 1];
  test.each<[string, Partial<MultiHeadAttentionOptions>, number, HostTensor?]>([
    ["the window of both", { window: { left: 4 } }, 4],
    ["a shorter window of the layer's", { window: { left: 2 } }, 2],
    ["a longer window of the layer's", { window: { left: 9, right: 3 } }, 4],
    ["ALiBi", { alibiSlopes: slopes }, 4, biasOf(slopes.map((slope) => -slope))],
  ])("%s", async (_, more, left, bias) => {
    const given = causalLayer();
    const layer = await multiHeadAttention(attention, { ...given, ...more });
    const query = floats(2, length, 24);
    const seen = Array.from({ length: length * length }, (_, at) => {
      const [i, j] = [Math.floor(at / length), at % length];
      return j >= i - left || j < kept.keep ? 1 : 0;
    });
    const mask = bools(seen, length, length);
    const wanted = naiveLayer(given, { query, mask, ...(bias && { bias }) });
    const whole = tensor(Float32Array.from(wanted.output), [2, length, 24]);
    for (const sizes of [chunks, new Array<number>(length).fill(1), [3, 3, 3, 3, 2]]) {
      const cache = await createCache(attention, kinds.rolling as CacheOptions);
      let from = 0;
      for (const n of sizes) {
        const { output } = await layer.run({ query: rows(query, from, from + n), cache });
        expectClose(output, toFloat64(rows(whole, from, from + n)));
        from += n;
      }
      cache.dispose();
    }
    layer.dispose();
  });
});

test("wrong programs are named, and the cache is as it was", async () => {
  const attention = (await attentionOn("js")) as Attention;
  const given = causalLayer();
  const plain = await multiHeadAttention(attention, given);
  const extra = { key: floats(1, 16), value: floats(1, 16) };
  const extended = await multiHeadAttention(attention, { ...given, extra });
  const query = floats(2, 2, 24);
  const blockMask = { mask: bools([1], 1, 1, 1, 1), queryBlock: 2, keyBlock: 16 };
  for (const kind of Object.keys(kinds)) {
    const cache = await createCache(attention, kinds[kind] as CacheOptions);
    await plain.run({ query, cache });
    const before = await cache.save();
    const bad: readonly [string, object][] = [
      ["maskMod", { maskMod: nearer }],
      ["maskMod", { maskMod: null }],
      ["scoreMod", { scoreMod: visible }],
      ["scoreMod", { scoreMod: () => true }],
      ["blockMask", { blockMask: kind === "rolling" ? blockMask : { ...blockMask, keyBlock: 4 } }],
    ];
    for (const [argument, changes] of bad) {
      const run = plain.run({ query, cache, ...changes } as never);
      await expect(run).rejects.toMatchObject({ code: "invalid-input", argument });
      expect(await cache.save()).toEqual(before);
    }
    if (kind !== "rolling") await plain.run({ query, cache, blockMask });
    cache.dispose();
  }
  for (const [name, programs] of Object.entries({
    maskMod: visible,
    scoreMod: nearer,
    blockMask,
  })) {
    const run = extended.run({ query, [name]: programs });
    await expect(run).rejects.toMatchObject({ code: "invalid-input", argument: name });
  }
  await attention.dispose();
});
