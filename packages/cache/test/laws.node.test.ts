/**
 * Whatever the history of a cache, attention over it is attention over all of its tokens: appended in any
 * chunks, taken back and appended again, forked and written on both sides, reordered, saved and loaded.
 * Rows that hold no token are NaN all the while.
 */
import type { Attention } from "@heed/core";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attentionOn, providers, refusalOf } from "../../../test/backends.js";
import { Cache, type CacheOptions, createCache } from "../src/index.js";
import { complete, Modelled, randomFrom, sizes } from "./history.js";

const kinds = {
  static: { kind: "static", capacity: 14 },
  rolling: { kind: "rolling", capacity: 12, window: 4, keep: 2 },
  "rolling, as short as can be": { kind: "rolling", capacity: 1, window: 2 },
  paged: { kind: "paged", capacity: 40, pageSize: 4 },
} as const satisfies Readonly<Record<string, Partial<CacheOptions>>>;

const dtypes = ["float32", "float16", "int8"] as const;

const step = fc.record({
  what: fc.constantFrom(
    "append",
    "append",
    "append",
    "append",
    "truncate",
    "reorder",
    "fork",
    "load",
  ),
  // Each number of rows is a plan of its own, which a GPU compiles.
  n: fc.constantFrom(1, 1, 5),
  ragged: fc.boolean(),
  seed: fc.integer(),
  numbers: fc.tuple(fc.nat(5), fc.nat(5)),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const runs = { js: 6, wasm: 6, onnx: 3, webgpu: 2 } as Readonly<Record<string, number>>;

/** @returns how many times rows were compared */
async function live(all: Modelled[], steps: readonly Step[]): Promise<number> {
  let compared = 0;
  for (const { what, n, ragged, seed, numbers } of steps) {
    const modelled = all[Math.abs(seed) % all.length] as Modelled;
    const { cache } = modelled;
    const random = randomFrom(seed);
    if (what === "append") {
      const counts = ragged ? numbers.map((x) => x % (n + 1)) : undefined;
      const before = cache.lengths;
      try {
        await modelled.append(random, n, counts);
      } catch (error) {
        // Full: nothing has changed.
        expect(error).toMatchObject({ code: "invalid-input", argument: "key" });
        expect(cache.lengths).toEqual(before);
        continue;
      }
      try {
        cache.inputs();
      } catch (error) {
        // A rolling cache that is too short for so many rows at once.
        expect(error).toMatchObject({ argument: "queryLength" });
        await modelled.check(random, 1, undefined);
        continue;
      }
      await modelled.check(random, n, counts);
      compared += 1;
    } else if (what === "truncate") {
      const back = cache.rewindable;
      modelled.truncate(
        cache.lengths.map(
          (length, b) => length - Math.min(back[b] as number, numbers[b] as number),
        ),
      );
    } else if (what === "reorder") {
      await modelled.reorder(numbers.map((x) => x % sizes.batch));
    } else if (what === "fork" && all.length < 3) {
      all.push(modelled.fork());
    } else if (what === "load") {
      const again = await Cache.load(modelled.attention, await cache.save());
      expect(again.lengths).toEqual(cache.lengths);
      expect(again.rewindable).toEqual(cache.rewindable);
      const { attention, options, tokens } = modelled;
      all[all.indexOf(modelled)] = new Modelled(attention, again, options, [...tokens]);
      cache.dispose();
    }
  }
  return compared;
}

describe.each(Object.keys(providers))("on %s", (backend) => {
  let attention: Attention | null;
  beforeAll(async () => {
    attention = await attentionOn(backend);
  }, 60_000);
  afterAll(() => attention?.dispose());

  const all = Object.keys(kinds).flatMap((kind) => dtypes.map((dtype) => ({ kind, dtype })));
  test.each(all)("$kind, $dtype", { timeout: 120_000 }, async ({ kind, dtype }) => {
    if (attention === null) return;
    const running = attention;
    const options = { ...kinds[kind as keyof typeof kinds], ...sizes, dtype };
    const refusal = await refusalOf(async () => {
      const cache = await createCache(running, options);
      const modelled = new Modelled(running, cache, options);
      await modelled.append(randomFrom(1), 1, undefined);
      await modelled.check(randomFrom(2), 1, undefined).finally(() => cache.dispose());
    });
    if (refusal !== null) {
      expect(complete, refusal).not.toContain(backend);
      console.warn(`${backend} has no ${kind} cache of ${dtype}: ${refusal}`);
      return;
    }
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 12 }), async (steps) => {
        const caches: Modelled[] = [];
        try {
          const first = new Modelled(running, await createCache(running, options), options);
          caches.push(first);
          await first.poison();
          compared += await live(caches, steps);
        } finally {
          for (const { cache } of caches) cache.dispose();
        }
      }),
      { numRuns: runs[backend], seed: 17 },
    );
    expect(compared).toBeGreaterThan(0);
  });
});
