// The WebAssembly backend, whose kernels' sources mutants change: they are compiled in this process.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { wasm } from "@heed/backend-wasm";
import { builds, compile } from "../../../packages/backend-wasm/build/compiler.js";
import { PackageTests } from "../suite/package-tests.js";
import { Probes } from "../suite/probes.js";
import { packageTests } from "./package-tests.js";

/** Sources that a build is compiled of, by path: read once. */
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
  const original = new Map();
  /** Modules as they are now, by build; compiled when a configuration needs them. */
  let modules = new Map();
  let planted = null;
  const moduleOf = async (build) => {
    if (!modules.has(build)) modules.set(build, await WebAssembly.compile(await bytesOf(build)));
    return modules.get(build);
  };
  const bytesOf = (build) => compile(builds[build], readerFor(planted));
  const open = (build, options) => async () =>
    wasm({ module: await moduleOf(build), threads: 1, ...options }).load();
  // Both builds, every way to read tiles, and rows that do not depend on the others.
  const configurations = [
    { name: "baseline", open: open("baseline", { variant: "spread" }) },
    { name: "splat", open: open("baseline", { variant: "splat", batchInvariant: true }) },
    { name: "relaxed", open: open("relaxed", { variant: "spread" }) },
    { name: "relaxed by two", open: open("relaxed", { variant: "spread-by-two" }) },
  ];
  for (const build of Object.keys(builds)) original.set(build, Buffer.from(await bytesOf(build)));
  // The first computes every case, the others those that combine rules, and sizes.
  const probes = await Probes.run(
    configurations,
    undefined,
    (c, { name }) =>
      name === "baseline" || ("spec" in c && /pair|everything|^core\/shape|^decode/.test(c.id)),
  );
  const intact = modules;
  const tests = new PackageTests(packageTests);
  return {
    probes,
    /** Asks the package's tests about a mutant that no case notices. */
    askTests: async () => {
      const changed = {};
      for (const build of Object.keys(builds)) changed[build] = Buffer.from(await bytesOf(build));
      return tests.judge(Object.fromEntries(original), changed);
    },
    /** @returns null if both builds stay as they are */
    plant: async (mutant) => {
      planted = mutant;
      modules = new Map();
      const undo = () => {
        planted = null;
        modules = intact;
      };
      try {
        const [first, second] = Object.keys(builds);
        const bytes = await bytesOf(first);
        // Most mutants are noticed in the first build: the other is compiled where they are not.
        const isSame =
          original.get(first).equals(bytes) && original.get(second).equals(await bytesOf(second));
        if (!isSame) modules.set(first, await WebAssembly.compile(bytes));
        if (isSame) undo();
        return isSame ? null : undo;
      } catch (error) {
        undo();
        throw error;
      }
    },
  };
}
