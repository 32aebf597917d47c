// Writes a story: node dist/main.js [--backend NAME | --group NAME] [--kind KIND] [--dtype DTYPE] [--drafts] [--tokens COUNT]
import { parseArgs } from "node:util";
import { cluster } from "@heed/backend-cluster";
import { type BackendName, createAttention, wasm } from "heed";
import { readCheckpoint, readVocabulary } from "./checkpoint.js";
import { readModelFile } from "./files.js";
import { type CacheChoice, Model } from "./model.js";
import { textOf, write, writeWithDrafts } from "./write.js";

const { values } = parseArgs({
  options: {
    backend: { type: "string" },
    // Workers of the cluster backend, with which keys and values then lie.
    group: { type: "string" },
    kind: { type: "string", default: "static" },
    dtype: { type: "string", default: "float32" },
    drafts: { type: "boolean", default: false },
    tokens: { type: "string", default: "256" },
  },
});

const weights = readCheckpoint(await readModelFile("model"));
const vocabulary = readVocabulary(await readModelFile("tokenizer"));
const attention = await createAttention({
  ...(values.backend && { backends: [values.backend as BackendName] }),
  ...(values.group && { backends: [cluster({ group: values.group, local: wasm() })] }),
  fallback: "silent",
});
const model = await Model.create(attention, weights, {
  kind: values.kind as CacheChoice["kind"],
  dtype: values.dtype as CacheChoice["dtype"],
  capacity: weights.length,
  ...(values.kind === "rolling" && { window: 128, keep: 4 }),
});

const start = performance.now();
const tokens: number[] = [];
let shown = "";
for await (const token of (values.drafts ? writeWithDrafts : write)(model, Number(values.tokens))) {
  tokens.push(token);
  const text = textOf(tokens, vocabulary);
  process.stdout.write(text.slice(shown.length));
  shown = text;
}
const seconds = (performance.now() - start) / 1000;
const bytes = model.caches.reduce((sum, cache) => sum + cache.bytes, 0);
const where = model.caches[0]?.backend ?? "host memory";
console.log(
  `\n\n${tokens.length} tokens, ${Math.round(tokens.length / seconds)} a second; caches of ${bytes} bytes in ${where}`,
);
model.dispose();
await attention.dispose();
