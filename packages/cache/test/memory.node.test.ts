/** The same history in a backend's memory and in that of the host leaves the same bits. */
import type { Attention } from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cache, type CacheOptions, createCache } from "../src/index.js";
import { attentionOn } from "./backends.js";
import { Modelled, randomFrom, sizes } from "./history.js";

const kinds = [
  { kind: "static", capacity: 14 },
  { kind: "rolling", capacity: 8, window: 3, keep: 2 },
  { kind: "paged", capacity: 40, pageSize: 4 },
] as const;
const dtypes = ["float32", "float16", "int8"] as const;
const all = kinds.flatMap((kind) => dtypes.map((dtype) => ({ ...kind, ...sizes, dtype })));

/** Files of two caches that share a past, after a history that moves, shares and copies rows. */
async function filesOf(attention: Attention, options: CacheOptions): Promise<Uint8Array[]> {
  const random = randomFrom(5);
  const first = new Modelled(attention, await createCache(attention, options), options);
  await first.append(random, 5, [5, 3]);
  const second = first.fork();
  await first.append(random, 1, undefined);
  await second.append(random, 2, [0, 2]);
  await second.reorder([1, 1]);
  await second.append(random, 1, undefined);
  first.truncate([5, 3]);
  await first.append(random, 1, [1, 0]);
  const files = [await first.cache.save(), await second.cache.save()];
  const again = await Cache.load(attention, files[1] as Uint8Array, { backend: options.backend });
  files.push(await again.save());
  for (const { cache } of [first, second]) cache.dispose();
  again.dispose();
  return files;
}

describe.each(["wasm", "webgpu"])("in the memory of %s", (backend) => {
  let attention: Attention | null;
  let host: Attention;
  beforeAll(async () => {
    attention = await attentionOn(backend);
    host = (await attentionOn("js")) as Attention;
  }, 60_000);
  afterAll(async () => {
    await attention?.dispose();
    await host.dispose();
  });

  test.each(all)("$kind, $dtype", { timeout: 60_000 }, async (options) => {
    if (attention === null) return;
    const found = await filesOf(attention, { ...options, backend });
    const expected = await filesOf(host, { ...options, backend: "js" });
    expect(found[1]).toEqual(found[2]);
    expect(found).toEqual(expected);
  });
});
