// Mutants of languages that Stryker cannot read, and how they are tried.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { filesUnder } from "./files.js";
import { typeScriptOf } from "./packages.js";
import { lineMutants } from "./text.js";

/**
 * @typedef {object} Language
 * @property {() => object[] | Promise<object[]>} [all] every mutant there is; by default, the child says them
 * @property {import("./suite/run.js").Child} child the script that tries them
 * @property {readonly string[]} [tests] the package's tests: they see mutants of TypeScript first, and the child what they leave
 * @property {(mutant: object) => Promise<void>} [check] throws for a mutant that is no valid program
 */

/** A `require` function that resolves as the package at a path does. */
const requireFrom = (path) => createRequire(resolve(path, "package.json"));

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

/** The script that tries mutants with the suite; the module says how to plant them. */
const suiteChild = (module, execArgv = []) => ({
  script: join(import.meta.dirname, "suite/child.js"),
  arguments: [join(import.meta.dirname, module)],
  execArgv,
});

/** Tests that are the suite, or repeat it. */
const suiteTests = /conformance|divided|leak/;

/** @type {Record<string, Language>} */
export const languages = {
  "backend-js": {
    all: async () => {
      const { listMutants } = await import("./typescript/instrument.js");
      return listMutants(process.cwd(), typeScriptOf("backend-js").sources);
    },
    // Changed loops may have no end.
    child: { ...suiteChild("js/subject.js"), longestSilence: 20 },
    get tests() {
      return typeScriptOf("backend-js").tests.filter((file) => !suiteTests.test(file));
    },
  },
  "backend-wasm": {
    all: () => filesUnder("packages/backend-wasm/assembly", ".ts").flatMap(fileMutants),
    child: {
      ...suiteChild("wasm/subject.js", ["--experimental-wasm-relaxed-simd"]),
      asksTests: true,
    },
  },
  "backend-webgpu": {
    // Lines of emitted WGSL: a mutant changes every place where the same line is emitted.
    all: () => {
      const lines = new Set(kernelTexts().flatMap((text) => text.split("\n")));
      return [...lines].flatMap(lineMutants);
    },
    check: checkWgsl,
    child: {
      ...{ script: join(import.meta.dirname, "wgsl/child.js"), longestSilence: 30 },
      asksTests: true,
    },
  },
  "backend-onnx": {
    // Known only once graphs have been built: the child says them.
    child: suiteChild("onnx/subject.js"),
  },
};
