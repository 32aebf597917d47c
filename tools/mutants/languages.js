// Mutants that are not Stryker's: of languages that it cannot read, and chosen ones; and the tests that must kill them.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { caseInputs, selectCases } from "@heed/conformance";
import { describeProblem } from "@heed/core";
import { cacheBugs } from "./cache-bugs.js";
import { modelMutants, mutateModel } from "./onnx-models.js";
import { lineMutants } from "./text.js";
import { tryMutants } from "./wgsl/run.js";

/**
 * @typedef {object} Language
 * @property {() => object[] | Promise<object[]>} all every mutant there is
 * @property {string[]} [tests] test files that judge by numbers, the quickest first
 * @property {typeof tryMutants} [tryAll] tries mutants without test files
 * @property {(mutant: object, workspace: string) => (() => void) | Promise<() => void>} plant changes files of a
 *   workspace, and returns what undoes it; throws if the mutant is no valid program
 * @property {(mutant: object) => Record<string, string>} environment variables for the tests
 */

/** A `require` function that resolves as the package at a path does. */
const requireFrom = (path) => createRequire(resolve(path, "package.json"));

/** Files under a directory. */
function filesUnder(directory, extension) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Mutants of each line of a file. */
function fileMutants(file) {
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line, row) => lineMutants(line).map((mutant) => ({ file, row, ...mutant })));
}

/** The WGSL of one form of each kernel. */
const kernelTexts = () =>
  filesUnder("packages/backend-webgpu/test/snapshots", ".wgsl").map((file) =>
    readFileSync(file, "utf8"),
  );

/** Compiles for a device that has every feature and computes nothing. */
let compiling;
async function compilerOfWgsl() {
  const { create } = requireFrom("packages/backend-webgpu")("webgpu");
  // Kept: what `create` gives must not be collected.
  const gpu = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  const adapter = await gpu.requestAdapter();
  const requiredFeatures = [...adapter.features].filter((name) =>
    ["shader-f16", "subgroups", "chromium-experimental-subgroup-matrix"].includes(name),
  );
  const device = await adapter.requestDevice({ requiredFeatures });
  return { gpu, device };
}

/** @throws Error if the changed kernels do not compile: then there is no bug that a test could find */
async function checkWgsl({ line, changed }) {
  compiling ??= compilerOfWgsl();
  const { device } = await compiling;
  for (const text of kernelTexts()) {
    const lines = text.split("\n");
    if (!lines.includes(line)) continue;
    device.pushErrorScope("validation");
    const code = lines.map((one) => (one === line ? changed : one)).join("\n");
    const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
    await device.popErrorScope();
    const error = messages.find(({ type }) => type === "error");
    if (error) throw new Error(error.message);
  }
}

/** A model for each mutant, on which it can be tried. */
const modelOf = new Map();

/** @type {Record<string, Language>} */
export const languages = {
  cache: {
    all: () => cacheBugs,
    tests: ["states.node", "writes", "cache", "memory.node", "laws.node"].map(
      (name) => `packages/cache/test/${name}.test.ts`,
    ),
    plant: ({ file, from, to }, workspace) => {
      const path = join(workspace, file);
      const original = readFileSync(path, "utf8");
      if (original.split(from).length !== 2) throw new Error(`not once in ${file}: ${from}`);
      writeFileSync(
        path,
        original.replace(from, () => to),
      );
      return () => writeFileSync(path, original);
    },
    environment: () => ({}),
  },
  "backend-wasm": {
    all: () => filesUnder("packages/backend-wasm/assembly", ".ts").flatMap(fileMutants),
    tests: ["functions", "groups", "float16", "baseline.node", "threads"].map(
      (name) => `packages/backend-wasm/test/${name}.test.ts`,
    ),
    plant: ({ file, row, changed }, workspace) => {
      const path = join(workspace, file);
      const original = readFileSync(path, "utf8");
      const lines = original.split("\n");
      lines[row] = changed;
      writeFileSync(path, lines.join("\n"));
      const undo = () => writeFileSync(path, original);
      try {
        execFileSync(process.execPath, ["build/compile.js"], {
          cwd: join(workspace, "packages/backend-wasm"),
          stdio: "ignore",
        });
      } catch (error) {
        undo();
        throw error;
      }
      return undo;
    },
    environment: () => ({}),
  },
  "backend-webgpu": {
    // Lines of emitted WGSL: a mutant changes every place where the same line is emitted.
    all: () => {
      const lines = new Set(kernelTexts().flatMap((text) => text.split("\n")));
      return [...lines].flatMap(lineMutants).map((mutant) => ({ language: "wgsl", ...mutant }));
    },
    tryAll: tryMutants,
    plant: async (mutant) => {
      await checkWgsl(mutant);
      return () => {};
    },
    environment: (mutant) => ({ HEED_MUTANT: JSON.stringify(mutant) }),
  },
  "backend-onnx": {
    all: async () => {
      const { toOnnx } = await import("@heed/backend-onnx");
      for (const c of selectCases()) {
        if (!("spec" in c)) continue;
        const model = toOnnx(describeProblem(caseInputs(c)));
        for (const mutant of modelMutants(model)) {
          const key = JSON.stringify({ language: "onnx", ...mutant });
          if (!modelOf.has(key)) modelOf.set(key, model);
        }
      }
      return [...modelOf.keys()].map((key) => JSON.parse(key));
    },
    tests: ["packages/backend-onnx/test/conformance.node.test.ts"],
    plant: async (mutant) => {
      const { InferenceSession } = requireFrom("packages/backend-onnx")("onnxruntime-node");
      const model = mutateModel(modelOf.get(JSON.stringify(mutant)), mutant);
      await (await InferenceSession.create(model, { logSeverityLevel: 4 })).release();
      return () => {};
    },
    environment: (mutant) => ({ HEED_MUTANT: JSON.stringify(mutant) }),
  },
};
