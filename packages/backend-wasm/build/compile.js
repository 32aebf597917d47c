// Compiles assembly/ twice, without and with relaxed SIMD, into src/generated/modules.ts, from which the
// package takes the modules, and into dist/*.wasm, for whoever has to compile them elsewhere.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { builds, compile } from "./compiler.js";
import { encodeDelta } from "./delta.js";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Offset of the imported memory's limits flags: the byte that says whether the memory is shared. */
function memoryFlagsAt(bytes) {
  let at = 8;
  const read = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const section = read();
    const size = read();
    const importSection = 2;
    if (section !== importSection) {
      at += size;
      continue;
    }
    if (read() !== 1) throw new Error("expected one import, the memory");
    for (const _ of ["module", "name"]) {
      const length = read();
      at += length;
    }
    const memory = 2;
    if (read() !== memory) throw new Error("the import is not a memory");
    if (bytes[at] !== 0x01) throw new Error("expected limits with a maximum, not shared");
    return at;
  }
  throw new Error("no imports");
}

const modules = {};
for (const [name, features] of Object.entries(builds)) {
  const bytes = Buffer.from(await compile(features));
  modules[name] = { bytes, memoryFlagsAt: memoryFlagsAt(bytes) };
  write(`dist/${name}.wasm`, bytes);
  const shared = Uint8Array.from(bytes);
  shared[modules[name].memoryFlagsAt] |= 0x02;
  write(`dist/${name}-shared.wasm`, shared);
  console.log(`${name}: ${bytes.length} bytes`);
}
const { baseline, relaxed } = modules;
const delta = encodeDelta(baseline.bytes, relaxed.bytes);
console.log(`relaxed as a difference: ${delta.length} bytes`);

const text = (bytes) => `"${bytes.toString("base64")}"`;
write(
  "src/generated/modules.ts",
  `// Written by build/compile.js from assembly/. Do not edit.

/** The module with baseline SIMD, in base64. */
export const baseline: string =
  ${text(baseline.bytes)};

/** The difference to the module with relaxed SIMD (see src/delta.ts), in base64. */
export const relaxedDelta: string =
  ${text(delta)};

/** Bytes of the module with relaxed SIMD. */
export const relaxedLength = ${relaxed.bytes.length};

/** The byte of each module that says that its memory is not shared. */
export const memoryFlagsAt: { readonly baseline: number; readonly relaxed: number } = {
  baseline: ${baseline.memoryFlagsAt},
  relaxed: ${relaxed.memoryFlagsAt},
};
`,
);

function write(name, contents) {
  const path = `${root}/${name}`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, contents);
}
