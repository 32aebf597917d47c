/** Cost of ten thousand steps of a decoder beside the attention itself: plans, heap, memory. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { js } from "@heed/backend-js";
import { wasm } from "@heed/backend-wasm";
import { type AttentionProvider, createAttention, isDeviceTensor } from "@heed/core";
import { expect, test } from "vitest";
import { type CacheOptions, createCache } from "../src/index.js";
import { randomFrom, randomTensor } from "./history.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** A provider whose backend counts the plans that it makes. */
function counted(provider: AttentionProvider): {
  provider: AttentionProvider;
  plans: () => number;
} {
  let plans = 0;
  const load: AttentionProvider["load"] = async () => {
    const backend = await provider.load();
    const plan = backend.plan.bind(backend);
    return Object.assign(backend, {
      plan: (problem: Parameters<typeof plan>[0]) => {
        plans += 1;
        return plan(problem);
      },
    });
  };
  return { provider: { name: provider.name, load }, plans: () => plans };
}

async function heap(): Promise<{ used: number; buffers: number }> {
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { used: heapUsed, buffers: arrayBuffers };
}

const sizes = { kvHeads: 1, headDim: 4 } as const;
const most = 10_000;
const warmUp = 1000;
const kinds: Readonly<Record<string, CacheOptions>> = {
  static: { ...sizes, capacity: most + 1 },
  rolling: { ...sizes, kind: "rolling", capacity: 40, window: 24, keep: 2 },
  paged: { ...sizes, kind: "paged", capacity: most + 1 },
};

const cases = [
  { backend: "wasm", kind: "static", steps: most },
  { backend: "wasm", kind: "rolling", steps: 4000 },
  { backend: "wasm", kind: "paged", steps: most },
  { backend: "js", kind: "paged", steps: 4000 },
];

test.each(cases)(
  "$backend, $kind: two plans, few KiB of heap a step, no growth",
  async ({ backend, kind, steps }) => {
    const { provider, plans } = counted(backend === "js" ? js() : wasm({ threads: 1 }));
    const attention = await createAttention({ backends: [provider] });
    const cache = await createCache(attention, kinds[kind] as CacheOptions);
    const random = randomFrom(3);
    const [key, query] = [randomTensor(random, [1, 1, 1, 4]), randomTensor(random, [1, 2, 1, 4])];
    const step = async (): Promise<void> => {
      await cache.append({ key, value: key });
      const { output } = await attention.run({ query, ...cache.inputs(), causal: true });
      if (isDeviceTensor(output)) output.dispose();
    };
    const { bytes } = cache;
    const run = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await step();
    };
    const made = plans();
    await run(warmUp);
    // The cache's own part of a step, as the median of five times so few steps that garbage is hardly collected meanwhile.
    const few = 400;
    collect();
    const costs: number[] = [];
    for (let round = 0; round < 5; round++) {
      const start = process.memoryUsage().heapUsed;
      for (let i = 0; i < few / 5; i++) {
        await cache.append({ key, value: key });
        cache.inputs();
      }
      costs.push((process.memoryUsage().heapUsed - start) / (few / 5));
    }
    const each = costs.sort((a, b) => a - b)[2] as number;
    // The engine goes on optimizing for thousands of steps, which takes memory once; a leak takes some in
    // every part.
    const parts = 5;
    const length = (steps - warmUp - few) / parts;
    const growth: number[] = [];
    let before = await heap();
    const { buffers } = before;
    for (let part = 0; part < parts; part++) {
      await run(length);
      const after = await heap();
      growth.push((after.used - before.used) / length);
      before = after;
    }
    // A plan for the writing of rows was made with the cache; host memory needs none.
    expect(plans() - made).toBeLessThanOrEqual(2);
    expect(each).toBeGreaterThan(100);
    expect(each).toBeLessThan(5 * 1024);
    expect(growth.sort((a, b) => a - b)[1]).toBeLessThan(100);
    expect(before.buffers - buffers).toBeLessThan(64 * 1024);
    expect(cache.bytes).toBe(bytes);
    expect(cache.lengths).toEqual([steps]);
    console.log(`${backend}, ${kind}: ${Math.round(each)} bytes a step, ${plans()} plans`);
    cache.dispose();
    await attention.dispose();
  },
);
