// Compiles assembly/ to WebAssembly.
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Features of the engine that each build needs. */
export const builds = {
  baseline: ["simd", "threads"],
  relaxed: ["simd", "threads", "relaxed-simd"],
};

/**
 * No -O: Binaryen's optimiser moves statements and constants to where V8 runs out of registers (a
 * register-only loop of multiply-adds then runs at a quarter of its speed). These passes only drop what
 * is dead, join locals and shorten branches.
 */
const passes = [
  "vacuum",
  "coalesce-locals",
  "reorder-locals",
  "vacuum",
  "dce",
  "remove-unused-brs",
  "vacuum",
];

/**
 * @param {readonly string[]} features of a build
 * @param {(name: string, directory: string) => string | null} [readFile] the sources; by default, those on the disk
 * @returns {Promise<Uint8Array>} the module's bytes
 */
export async function compile(features, readFile) {
  const files = new Map();
  const { error, stderr } = await asc.main(
    [
      "assembly/index.ts",
      "--outFile=module.wasm",
      "--runtime=stub",
      "--importMemory",
      "--noExportMemory",
      "--initialMemory=1",
      "--maximumMemory=65536",
      "--noAssert",
      "--use=abort=",
      ...features.map((feature) => `--enable=${feature}`),
      `--runPasses=${passes.join(",")}`,
      `--baseDir=${root}`,
    ],
    { writeFile: (name, contents) => files.set(name, contents), ...(readFile && { readFile }) },
  );
  if (error) throw new Error(`${error.message}\n${stderr}`);
  return files.get("module.wasm");
}
