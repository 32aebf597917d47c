// Measures steps of decoding through caches of several kinds against each other, in turns in one process: an append
// and `attention.run` over it, 32 query heads on 8, inputs where the cache is.
//
//   node apps/bench/tools/steps.js [--backend wasm] [--tokens 8192] [--batch 1] [--head-dim 64] [--simd baseline]
//     [--caches static:float32,static:int8,paged:float32:16,paged:float32:16:scattered] [--threads 1] [--ms 3000]
//
// after a build; under another Node by calling this with that one. A cache is kind:dtype, and of pages their size, and
// whether the sequence's pages lie anywhere in the pool or, as those of a fresh cache, one after another.
// Times are the processor's, so that other load makes them no longer; ratios are medians over rounds, to the first.
import { parseArgs } from "node:util";
import { onnx } from "@heed/backend-onnx";
import { wasm } from "@heed/backend-wasm";
import { createCache } from "@heed/cache";
import { createAttention, isDeviceTensor, tensor } from "@heed/core";
import { median } from "simple-statistics";
import { clocks, inTurns } from "./in-turns.js";

const { values } = parseArgs({
  options: {
    backend: { type: "string", default: "wasm" },
    tokens: { type: "string", default: "8192" },
    batch: { type: "string", default: "1" },
    "head-dim": { type: "string", default: "64" },
    simd: { type: "string" },
    threads: { type: "string" },
    caches: { type: "string", default: "static:float32,static:float16,static:int8,paged:float32" },
    ms: { type: "string", default: "3000" },
  },
});
const [tokens, batch, headDim] = [values.tokens, values.batch, values["head-dim"]].map(Number);
const kvHeads = 8;
/** Tokens that are appended before a cache is taken back to its first length. */
const room = 64;

const threads = values.threads && { threads: Number(values.threads) };
const provider =
  values.backend === "onnx" ? onnx({ ...threads }) : wasm({ threads: 1, simd: values.simd });
const attention = await createAttention({ backends: [provider], selfTest: false });

const random = (...shape) =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 2 * Math.random() - 1),
    shape,
  );

async function contender(name) {
  const [kind, dtype, pageSize = "16", order = "fresh"] = name.split(":");
  const capacity = tokens + room;
  const paged = { capacity: batch * capacity, maxLength: capacity, pageSize: Number(pageSize) };
  const sizes = { batch, kvHeads, headDim, capacity, ...(kind === "paged" && paged) };
  const cache = await createCache(attention, { kind, dtype, ...sizes });
  if (order === "scattered") await scatter(cache, Number(pageSize));
  const chunk = 512;
  for (let at = 0; at < tokens; at += chunk) {
    const rows = () => random(batch, kvHeads, Math.min(chunk, tokens - at), headDim);
    await cache.append({ key: rows(), value: rows() });
  }
  const put = (t) => (cache.backend === null ? t : attention.upload(t));
  const row = () => put(random(batch, kvHeads, 1, headDim));
  const token = { key: await row(), value: await row() };
  const query = await put(random(batch, 4 * kvHeads, 1, headDim));
  const run = async () => {
    if (cache.lengths[0] === capacity) cache.truncate(tokens);
    await cache.append(token);
    const { output } = await attention.run({ query, ...cache.inputs(), causal: true });
    if (isDeviceTensor(output)) output.dispose();
  };
  return { name, run, bytes: cache.bytes };
}

/** Leaves the free pages of an empty cache in a random order: forks take one each, and give it back. */
async function scatter(cache, pageSize) {
  const forks = [];
  const rows = () => random(batch, kvHeads, pageSize, headDim);
  while (cache.pages.free >= batch) {
    const fork = await cache.fork();
    await fork.append({ key: rows(), value: rows() });
    forks.push([Math.random(), fork]);
  }
  forks.sort(([a], [b]) => a - b);
  for (const [, fork] of forks) {
    fork.clear();
    fork.dispose();
  }
}

const contenders = [];
for (const name of values.caches.split(",")) contenders.push(await contender(name));
const visits = await inTurns(contenders, clocks.processor, Number(values.ms));
console.log(
  `node ${process.versions.node}, ${tokens} tokens, batch ${batch}, head size ${headDim}`,
);
for (const [at, { name, bytes }] of contenders.entries()) {
  const ratio = median(visits[at].map((ms, round) => ms / visits[0][round]));
  const ms = median(visits[at]).toFixed(3);
  const mib = (bytes / 2 ** 20).toFixed(2);
  console.log(`${name}: ${ms} ms, ${ratio.toFixed(2)} of ${contenders[0].name}, ${mib} MiB`);
}
process.exit(0);
