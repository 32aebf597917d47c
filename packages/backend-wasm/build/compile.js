// Compiles assembly/ twice, without and with relaxed SIMD, into src/generated/modules.ts, from which the
// package takes the modules, and into dist/*.wasm, for whoever has to compile them elsewhere.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { builds, compile } from "./compiler.js";
import { memoryFlagsAt, modulesText } from "./modules-text.js";

const root = fileURLToPath(new URL("..", import.meta.url));

const modules = {};
for (const [name, features] of Object.entries(builds)) {
  const bytes = Buffer.from(await compile(features));
  modules[name] = bytes;
  write(`dist/${name}.wasm`, bytes);
  const shared = Uint8Array.from(bytes);
  shared[memoryFlagsAt(bytes)] |= 0x02;
  write(`dist/${name}-shared.wasm`, shared);
  console.log(`${name}: ${bytes.length} bytes`);
}
const { text, deltaLength } = modulesText(modules);
console.log(`relaxed as a difference: ${deltaLength} bytes`);
write("src/generated/modules.ts", text);

function write(name, contents) {
  const path = `${root}/${name}`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, contents);
}
