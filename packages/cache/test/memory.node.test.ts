/** The same history in a backend's memory and in that of the host leaves the same bits. */
import { js } from "@heed/backend-js";
import { type WebGpuBackend, webgpu } from "@heed/backend-webgpu";
import { type Attention, type AttentionProvider, createAttention } from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attentionOn } from "../../../test/backends.js";
import { Cache, type CacheOptions, createCache } from "../src/index.js";
import { Modelled, randomFrom, randomTensor, sizes } from "./history.js";

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

test("a cache on a GPU that is destroyed says that it is lost", async () => {
  const provider = webgpu({ allowFallbackAdapter: true });
  const devices: GPUDevice[] = [];
  const gpu: AttentionProvider = {
    name: "webgpu",
    load: async () => {
      const backend: WebGpuBackend = await provider.load();
      devices.push(backend.device);
      return backend;
    },
  };
  const attention = await createAttention({ backends: [gpu], selfTest: false }).catch(() => null);
  if (attention === null) return;
  const cache = await createCache(attention, { ...sizes, capacity: 8 });
  const next = {
    key: randomTensor(randomFrom(1), [sizes.batch, sizes.kvHeads, 1, sizes.headDim]),
    value: randomTensor(randomFrom(2), [sizes.batch, sizes.kvHeads, 1, sizes.valueDim]),
  };
  await cache.append(next);
  devices[0]?.destroy();
  await devices[0]?.lost;
  await expect(cache.append(next)).rejects.toMatchObject({ code: "device-lost" });
  await expect(cache.save()).rejects.toMatchObject({ code: "device-lost" });
  expect(() => cache.inputs()).toThrow(expect.objectContaining({ code: "device-lost" }));
  expect(cache.lengths).toEqual([1, 1]);
  cache.dispose();
  await attention.dispose();
});

test("pages in host memory lie head by head, also those of a file", async () => {
  const host = await createAttention({ backends: [js()], selfTest: false });
  const { headDim } = sizes;
  const more = { valueDim: headDim, dtype: "int8", capacity: 40, pageSize: 4 } as const;
  const options = { ...sizes, ...more, kind: "paged" } as const;
  const cache = await createCache(host, options);
  const rows = () => randomTensor(randomFrom(7), [sizes.batch, sizes.kvHeads, 5, headDim]);
  await cache.append({ key: rows(), value: rows() });
  const again = await Cache.load(host, await cache.save());
  for (const { key, keyScales } of [cache.inputs(), again.inputs()]) {
    expect(key.shape).toEqual([10, sizes.kvHeads, 4, headDim]);
    expect(key.strides).toEqual([4 * headDim, 40 * headDim, headDim, 1]);
    expect(keyScales?.strides).toEqual([4, 40, 1]);
  }
  cache.dispose();
  again.dispose();
});
