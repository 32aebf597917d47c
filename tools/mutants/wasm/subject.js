// The WebAssembly backend, whose kernels' sources mutants change: they are compiled in this process.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { wasm } from "@heed/backend-wasm";
import { builds, compile } from "../../../packages/backend-wasm/build/compiler.js";
import { Probes } from "../suite/probes.js";

/** What a build is compiled of, by path: read once. */
const sources = new Map();

/** @param {{ file: string, row: number, changed: string } | null} mutant */
function readerFor(mutant) {
  const path = mutant === null ? null : resolve(mutant.file);
  return (name, directory) => {
    const wanted = join(directory, name);
    if (!sources.has(wanted)) sources.set(wanted, readOrNull(wanted));
    const text = sources.get(wanted);
    if (wanted !== path) return text;
    const lines = text.split("\n");
    lines[mutant.row] = mutant.changed;
    return lines.join("\n");
  };
}

function readOrNull(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

export async function subject() {
  const original = {};
  for (const build of Object.keys(builds)) {
    original[build] = Buffer.from(await compile(builds[build], readerFor(null)));
  }
  let modules = await compiled(original);
  const open = (build, options) => async () =>
    wasm({ module: modules[build], threads: 1, ...options }).load();
  // Every way to read tiles, both builds, and rows that do not depend on the others.
  const configurations = [
    { name: "relaxed", open: open("relaxed", { variant: "splat" }) },
    { name: "baseline", open: open("baseline", { variant: "spread" }) },
    { name: "spread by two", open: open("relaxed", { variant: "spread-by-two" }) },
    {
      name: "batch-invariant",
      open: open("baseline", { variant: "spread", batchInvariant: true }),
    },
  ];
  // Operations and laws run once: what they add to the cases does not depend on the configuration.
  const probes = await Probes.run(
    configurations,
    undefined,
    (c, { name }) => name === "relaxed" || "spec" in c,
  );
  const intact = modules;
  return {
    probes,
    /** @returns null if both builds stay as they are */
    plant: async (mutant) => {
      const bytes = {};
      for (const build of Object.keys(builds)) {
        bytes[build] = Buffer.from(await compile(builds[build], readerFor(mutant)));
      }
      if (Object.keys(builds).every((build) => bytes[build].equals(original[build]))) return null;
      modules = await compiled(bytes);
      return () => {
        modules = intact;
      };
    },
  };
}

async function compiled(bytes) {
  const entries = Object.entries(bytes).map(async ([build, code]) => [
    build,
    await WebAssembly.compile(code),
  ]);
  return Object.fromEntries(await Promise.all(entries));
}
