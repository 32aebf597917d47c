// Measures what a step of decoding leaves on JavaScript's heap: an append to a cache and `attention.run` over
// it, in one layer of Llama 3.2 1B (32 heads on 8, head size 64) on wasm.
//
//   node apps/bench/tools/step-heap.js [--processes 5] [--kinds static,paged,rolling] [--dtype float32]
//     [--host] [--functions] [--json heap.json]
//
// after a build; under another Node by calling this with that one. A step takes keys, values and a query that
// are in the backend's memory, as a layer's projections leave them; with `--host` they are host tensors. Bytes
// are the medians of what lies between two looks at the heap without a collection, in processes of their own.
// `--functions` also prints which functions allocate them, by V8's sampling profiler (which counts what was
// collected since, and rounds small functions); the first of the kinds.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "simple-statistics";

const { values } = parseArgs({
  options: {
    processes: { type: "string", default: "5" },
    kinds: { type: "string", default: "static,paged,rolling" },
    dtype: { type: "string", default: "float32" },
    host: { type: "boolean", default: false },
    functions: { type: "boolean", default: false },
    json: { type: "string" },
  },
});

// A young generation of which the measured steps fill a part only.
const young = ["--expose-gc", "--min-semi-space-size=128", "--max-semi-space-size=256"];
const script = fileURLToPath(new URL("overhead/step.js", import.meta.url));

function child(kind, measure) {
  const args = [kind, values.dtype, values.host ? "host" : "resident", measure];
  const out = execFileSync(process.execPath, [...young, script, ...args], { encoding: "utf8" });
  return JSON.parse(out.trim().split("\n").at(-1));
}

const kinds = values.kinds.split(",");
const found = { node: process.versions.node, bytes: {} };
console.log(`node ${found.node}, ${values.dtype}, medians of ${values.processes} processes`);
for (const kind of kinds) {
  const all = Array.from({ length: Number(values.processes) }, () => child(kind, "bytes"));
  const of = (name) => Math.round(median(all.map((one) => one[name])));
  const bytes = { append: of("append"), inputs: of("inputs"), run: of("run"), step: of("step") };
  found.bytes[kind] = bytes;
  console.log(
    `${kind}: ${bytes.step} bytes a step (append ${bytes.append}, inputs ${bytes.inputs}, run ${bytes.run})`,
  );
}
if (values.functions) {
  found.functions = child(kinds[0], "functions");
  for (const { name, bytes } of found.functions)
    console.log(`${String(bytes).padStart(6)}  ${name}`);
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(found, null, 2)}\n`);
