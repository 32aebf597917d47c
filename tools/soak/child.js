// Runs calls on one backend and prints how its memory grows, as JSON. Started by tools/soak.js in a process of its
// own with --expose-gc: `child.js '{ "backend": "js", "calls": 20000, "problems": 8 }'`.
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { providerIn, readManifest } from "@heed/conformance";
import { createAttention, tensor } from "@heed/core";
import { memory, slopesOf } from "./memory.js";

/** Measurements of a run. */
const samples = 60;

const { backend: name, calls, problems } = JSON.parse(process.argv[2]);
const require = createRequire(resolve("package.json"));
const manifest = readManifest(require(resolve(`packages/backend-${name}/package.json`)));
const provider = providerIn(await import(`@heed/backend-${name}`), name, manifest.options);
const attention = await createAttention({ backends: [provider] });

/** Calls of different problems: key lengths from 16 up. */
const inputs = Array.from({ length: problems }, (_, i) => {
  const make = (length) => {
    const data = Float32Array.from({ length: 2 * length * 16 }, (_, at) => Math.sin(at + i));
    return tensor(data, [1, 2, length, 16]);
  };
  return { query: make(4), key: make(16 + i), value: make(16 + i) };
});

const measured = [];
const every = Math.max(1, Math.floor(calls / samples));
const started = performance.now();
for (let call = 0; call < calls; call += 1) {
  await attention.run(inputs[call % problems]);
  if ((call + 1) % every === 0) measured.push([call + 1, memory()]);
}
const microseconds = ((performance.now() - started) * 1000) / calls;
const slopes = slopesOf(measured);
const before = memory();
await attention.dispose();
const after = memory();
console.log(JSON.stringify({ name, calls, problems, microseconds, slopes, before, after }));
process.exit();
