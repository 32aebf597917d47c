// One process of ../overhead.js: ms that `createAttention` takes, once its packages are imported.
//   node load.js js|wasm|wasm:1 true|false
import { createAttention } from "@heed/core";

const [what, selfTest] = process.argv.slice(2);
const provider = {
  js: async () => (await import("@heed/backend-js")).js(),
  wasm: async () => (await import("@heed/backend-wasm")).wasm(),
  "wasm:1": async () => (await import("@heed/backend-wasm")).wasm({ threads: 1 }),
}[what];
const backends = [await provider()];
const start = performance.now();
const attention = await createAttention({ backends, selfTest: selfTest === "true" });
const ms = performance.now() - start;
await attention.dispose();
console.log(JSON.stringify({ ms }));
process.exit(0);
