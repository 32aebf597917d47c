// One process of ../step-heap.js: bytes of JavaScript's heap of a step of decoding. Prints a line of JSON.
//
//   node step.js KIND DTYPE resident|host bytes|functions
//
// Needs --expose-gc, and for "bytes" a young generation that is not collected meanwhile, see the parent.
import { Session } from "node:inspector/promises";
import { PerformanceObserver } from "node:perf_hooks";
import { wasm } from "@heed/backend-wasm";
import { createCache } from "@heed/cache";
import { createAttention, isDeviceTensor, tensor } from "@heed/core";
import { median } from "simple-statistics";

const [, , kind, dtype, place, measure] = process.argv;

const sizes = { kvHeads: 8, headDim: 64 };
/** Tokens before a step: few, since what a step leaves on the heap does not depend on them. */
const tokens = 16;
const capacity = 512;
const rolling = { window: 64, capacity: 128 };

const attention = await createAttention({ backends: [wasm({ threads: 1 })], selfTest: false });
const cache = await createCache(attention, {
  ...sizes,
  kind,
  dtype,
  capacity,
  ...(kind === "rolling" && rolling),
});

async function rows(heads, n) {
  const size = heads * n * sizes.headDim;
  const made = tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin(i)),
    [1, heads, n, sizes.headDim],
  );
  return place === "resident" ? attention.upload(made) : made;
}

const first = await rows(sizes.kvHeads, tokens);
await cache.append({ key: first, value: first });
const token = { key: await rows(sizes.kvHeads, 1), value: await rows(sizes.kvHeads, 1) };
const query = await rows(32, 1);

/** Makes room for so many more tokens, where a cache may become full. */
function room(steps) {
  if (kind !== "rolling" && cache.lengths[0] + steps > capacity) cache.truncate(tokens);
}

const parts = {
  append: () => cache.append(token),
  inputs: () => void cache.inputs(),
  run: async () => {
    const { output } = await attention.run({ query, ...fixed, causal: true });
    if (isDeviceTensor(output)) output.dispose();
  },
  step: async () => {
    await cache.append(token);
    const { output } = await attention.run({ query, ...cache.inputs(), causal: true });
    if (isDeviceTensor(output)) output.dispose();
  },
};
let fixed = cache.inputs();

async function times(part, count) {
  for (let i = 0; i < count; i++) await part();
}

let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ["gc"] });

/** Bytes that a call leaves on the heap while nothing is collected. */
async function bytes(part) {
  const each = 400;
  for (let attempt = 0; attempt < 5; attempt++) {
    room(each);
    globalThis.gc();
    // The observer is told of a collection on the next turn of the event loop.
    await new Promise((resolve) => setTimeout(resolve, 5));
    collections = 0;
    const before = process.memoryUsage().heapUsed;
    await times(part, each);
    const after = process.memoryUsage().heapUsed;
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (collections === 0) return (after - before) / each;
  }
  throw new Error("the heap was collected in the middle of each attempt");
}

/** Bytes a step by the function that allocates them, the largest first. */
async function functions() {
  const session = new Session();
  session.connect();
  const steps = 2000;
  const round = 400;
  globalThis.gc();
  await session.post("HeapProfiler.startSampling", {
    samplingInterval: 256,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  for (let done = 0; done < steps; done += round) {
    room(round);
    await times(parts.step, round);
  }
  const { profile } = await session.post("HeapProfiler.stopSampling");
  const sums = new Map();
  const add = ({ callFrame, selfSize, children }) => {
    const { functionName, url, lineNumber } = callFrame;
    const file = url.split("/").slice(-3).join("/");
    const name = `${functionName || "(anonymous)"} ${file}:${lineNumber + 1}`;
    sums.set(name, (sums.get(name) ?? 0) + selfSize);
    children.forEach(add);
  };
  add(profile.head);
  return [...sums]
    .map(([name, sum]) => ({ name, bytes: Math.round(sum / steps) }))
    .filter(({ bytes: each }) => each >= 16)
    .sort((a, b) => b.bytes - a.bytes);
}

// Engines compile code once more after some thousand calls.
for (let round = 0; round < 20; round++) {
  room(450);
  for (const part of Object.values(parts)) {
    fixed = cache.inputs();
    await times(part, 200);
  }
}

if (measure === "functions") console.log(JSON.stringify(await functions()));
else {
  const found = {};
  for (const [name, part] of Object.entries(parts)) {
    const all = [];
    for (let round = 0; round < 5; round++) all.push(await bytes(part));
    found[name] = median(all);
  }
  console.log(JSON.stringify(found));
}
process.exit(0);
