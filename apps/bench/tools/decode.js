// Measures whole steps of decoding: a token's keys and values are appended to a cache, and its query attends to all
// of them. Beside Heed's backends with each kind of cache and storage run onnxruntime's own GroupQueryAttention,
// which keeps its cache in place in Node, and the naive way: new tensors, one token longer, at each step.
//
//   node tools/decode.js [--backends wasm,onnx:cpu] [--peers node,web,node-int8] [--lengths 512,2048,8192,32768]
//     [--batch 1,8] [--kinds static,rolling,paged] [--dtypes float32,float16,int8] [--heads 32/8] [--dim 64]
//     [--ms 300] [--clock wall|processor] [--stop 170] [--gib 6]
//
// in apps/bench, after a build; prints a row of Markdown for each length and batch. Contenders of a row run in turns,
// on one thread; a number is the median ms of a step, and the time as a share of the first contender's. All caches of
// a row are there at once: one that needs more than `--gib` is left out, and can be run with fewer contenders.
import { parseArgs } from "node:util";
import { encodeModel, GraphBuilder } from "@heed/backend-onnx/model";
import { createCache } from "@heed/cache";
import { createAttention, tensor } from "@heed/core";
import { median } from "simple-statistics";
import { clocks, inTurns } from "./in-turns.js";

const { values: options } = parseArgs({
  options: {
    backends: { type: "string", default: "wasm,onnx:cpu" },
    peers: { type: "string", default: "node,web,node-int8" },
    lengths: { type: "string", default: "512,2048,8192,32768" },
    batch: { type: "string", default: "1,8" },
    kinds: { type: "string", default: "static,rolling,paged" },
    dtypes: { type: "string", default: "float32,float16,int8" },
    heads: { type: "string", default: "32/8" },
    dim: { type: "string", default: "64" },
    ms: { type: "string", default: "300" },
    clock: { type: "string", default: "wall" },
    stop: { type: "string", default: "170" },
    gib: { type: "string", default: "6" },
  },
});
const list = (text) => text.split(",").filter((part) => part !== "");
const [queryHeads, kvHeads] = options.heads.split("/").map(Number);
const dim = Number(options.dim);
const started = performance.now();

/** Steps after which a cache is as long as at first again. */
const growth = 64;

const providers = {
  js: async () => (await import("@heed/backend-js")).js(),
  wasm: async () => (await import("@heed/backend-wasm")).wasm({ threads: 1 }),
  onnx: async (provider) =>
    (await import("@heed/backend-onnx")).onnx({ provider: provider ?? "cpu", threads: 1 }),
};

const rows = (batch, heads, n, seed = 1) => {
  const count = batch * heads * n * dim;
  const data = Float32Array.from({ length: count }, (_, i) => Math.sin(seed + i * 1.7));
  return tensor(data, [batch, heads, n, dim]);
};

async function cached(attention, name, { batch, length, kind, dtype }) {
  const room = length + growth;
  const sizes = {
    static: { capacity: room },
    paged: { capacity: batch * (room + 16), maxLength: room },
    rolling: { capacity: room, window: length - 1 },
  }[kind];
  const cache = await createCache(attention, {
    kind,
    batch,
    kvHeads,
    headDim: dim,
    dtype,
    ...sizes,
  });
  const chunk = 64;
  for (let at = 0; at < length; at += chunk) {
    const n = Math.min(chunk, length - at);
    await cache.append({ key: rows(batch, kvHeads, n, at), value: rows(batch, kvHeads, n, -at) });
  }
  const query = rows(batch, queryHeads, 1);
  const [key, value] = [rows(batch, kvHeads, 1, 2), rows(batch, kvHeads, 1, 3)];
  const lengths = new Array(batch).fill(length);
  return {
    name: `${name} ${kind} ${dtype}`,
    run: async () => {
      await cache.append({ key, value });
      const { output } = await attention.run({ query, ...cache.inputs(), causal: true });
      output.dispose?.();
      if (kind !== "rolling" && cache.lengths[0] >= length + growth) cache.truncate(lengths);
    },
    dispose: () => cache.dispose(),
  };
}

/** All tokens in new tensors at each step: what a model with `past` and `present` does. */
async function concatenating(attention, name, { batch, length }) {
  const query = rows(batch, queryHeads, 1);
  const past = rows(batch, kvHeads, length).data;
  const row = rows(1, 1, 1, 2).data;
  const longer = () => {
    const data = new Float32Array(batch * kvHeads * (length + 1) * dim);
    for (let head = 0; head < batch * kvHeads; head++) {
      const at = head * (length + 1) * dim;
      data.set(past.subarray(head * length * dim, (head + 1) * length * dim), at);
      data.set(row, at + length * dim);
    }
    return tensor(data, [batch, kvHeads, length + 1, dim]);
  };
  return {
    name: `${name} concatenating`,
    run: () => attention.run({ query, key: longer(), value: longer() }),
    dispose: () => {},
  };
}

/** onnxruntime's GroupQueryAttention. In Node it reads and writes one array; in WebAssembly, copies. */
async function groupQuery(peer, { batch, length }) {
  const web = peer === "web";
  const int8 = peer.endsWith("int8");
  const ort = web ? await import("onnxruntime-web") : (await import("onnxruntime-node")).default;
  if (web) ort.env.wasm.numThreads = 1;
  const most = length + growth;
  const stored = int8 ? "int8" : "float32";
  const g = new GraphBuilder(18);
  const packed = (name, heads) => g.input(name, "float32", [batch, 1, heads * dim]);
  const cache = (name) => g.input(name, stored, [batch, kvHeads, most, dim]);
  const inputs = [
    packed("query", queryHeads),
    packed("key", kvHeads),
    packed("value", kvHeads),
    cache("past_key"),
    cache("past_value"),
    g.input("lengths", "int32", [batch]),
    g.input("total", "int32", []),
  ];
  const scales = int8 ? ["", "", "", "", "", g.scalar("float32", 1 / 127)] : [];
  if (int8) scales.push(scales[5]);
  const [output, presentKey, presentValue] = g.node(
    "GroupQueryAttention",
    [...inputs, ...scales],
    ["output", "key", "value"],
    {
      num_heads: queryHeads,
      kv_num_heads: kvHeads,
      ...(int8 && { k_quant_type: "PER_TENSOR", v_quant_type: "PER_TENSOR" }),
      ...(int8 && { kv_cache_bit_width: 8 }),
    },
    "com.microsoft",
  );
  g.output("output", output, "float32", [batch, 1, queryHeads * dim]);
  g.output("present_key", presentKey, stored, [batch, kvHeads, most, dim]);
  g.output("present_value", presentValue, stored, [batch, kvHeads, most, dim]);
  const session = await ort.InferenceSession.create(encodeModel(g.build()), {
    executionProviders: [web ? "wasm" : "cpu"],
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  const Elements = int8 ? Int8Array : Float32Array;
  const past = () => {
    const elements = new Elements(batch * kvHeads * most * dim);
    for (let i = 0; i < elements.length; i++) elements[i] = Math.sin(i * 1.7) * (int8 ? 127 : 1);
    return new ort.Tensor(stored, elements, [batch, kvHeads, most, dim]);
  };
  let [pastKey, pastValue] = [past(), past()];
  const of = (heads, seed) =>
    new ort.Tensor("float32", rows(batch, heads, 1, seed).data, [batch, 1, heads * dim]);
  const [query, key, value] = [of(queryHeads, 1), of(kvHeads, 2), of(kvHeads, 3)];
  let step = 0;
  const fetches = web
    ? undefined
    : { output: null, present_key: pastKey, present_value: pastValue };
  const run = async () => {
    const total = length + (step++ % growth) + 1;
    const feeds = {
      query,
      key,
      value,
      past_key: pastKey,
      past_value: pastValue,
      lengths: new ort.Tensor("int32", new Int32Array(batch).fill(total - 1), [batch]),
      total: new ort.Tensor("int32", Int32Array.of(total), []),
    };
    const results = await session.run(feeds, fetches);
    [pastKey, pastValue] = [results.present_key, results.present_value];
  };
  await run();
  const row = pastKey.data.subarray(length * dim, (length + 1) * dim);
  const expected = key.data.subarray(0, dim);
  const kept = row.every((x, c) => Math.abs(x / (int8 ? 127 : 1) - expected[c]) < 0.01);
  const name = `GroupQueryAttention ${peer}`;
  if (!kept) throw new Error(`${name} did not write the token into its cache`);
  return { name, run, dispose: () => session.release() };
}

/** GiB that the caches of a row take together. */
function gibOf({ batch, length }) {
  const bytes = { float32: 4, float16: 2, int8: 1 + 4 / dim };
  const sizes = list(options.dtypes).map((dtype) => bytes[dtype] * list(options.kinds).length);
  const own = sizes.reduce((sum, size) => sum + size, 4) * list(options.backends).length;
  const all = own + 4 * list(options.peers).length;
  return (2 * all * batch * kvHeads * dim * (length + growth)) / 2 ** 30;
}

async function contendersOf(attentions, sizes) {
  const made = [];
  const add = async (name, make) => {
    try {
      const contender = await make();
      await contender.run();
      made.push(contender);
    } catch (error) {
      console.error(`${name}, ${JSON.stringify(sizes)}: ${error.message}`);
    }
  };
  for (const { name, attention } of attentions) {
    for (const kind of list(options.kinds)) {
      for (const dtype of list(options.dtypes)) {
        const own = `${name} ${kind} ${dtype}`;
        await add(own, () => cached(attention, name, { ...sizes, kind, dtype }));
      }
    }
    await add(`${name} concatenating`, () => concatenating(attention, name, sizes));
  }
  for (const peer of list(options.peers)) await add(peer, () => groupQuery(peer, sizes));
  return made;
}

const attentions = [];
for (const name of list(options.backends)) {
  const [backend, choice] = name.split(":");
  const attention = await createAttention({ backends: [await providers[backend](choice)] });
  attentions.push({ name, attention });
}
console.log("| tokens | batch | ms of a step (share of the first's) |");
console.log("| --- | --- | --- |");
for (const batch of list(options.batch).map(Number)) {
  for (const length of list(options.lengths).map(Number)) {
    if ((performance.now() - started) / 1000 > Number(options.stop)) {
      console.log(`stopped before ${length} tokens, batch ${batch}`);
      process.exit(0);
    }
    const gib = gibOf({ batch, length });
    if (gib > Number(options.gib)) {
      console.log(`| ${length} | ${batch} | left out: its caches take ${gib.toFixed(1)} GiB |`);
      continue;
    }
    const made = await contendersOf(attentions, { batch, length });
    const visits = await inTurns(made, clocks[options.clock], Number(options.ms));
    const cells = made.map(({ name }, at) => {
      const share = median(visits[at].map((ms, round) => ms / visits[0][round]));
      return `${name} ${median(visits[at]).toFixed(3)} (${share.toFixed(2)})`;
    });
    console.log(`| ${length} | ${batch} | ${cells.join("; ")} |`);
    for (const { dispose } of made) await dispose();
  }
}
process.exit(0);
