// `pnpm mutants PACKAGE`: plants small bugs, one at a time, and counts how many the package's tests notice.
//
//   pnpm mutants core                             Stryker over the package's TypeScript, on Node 24
//   pnpm mutants core --files "tensor/*.ts"       … over some of it
//   pnpm mutants backend-wasm --count 200 --seed 1   AssemblyScript, by a mutator of our own
//   pnpm mutants backend-webgpu --count 200       the WGSL that kernels emit
//   pnpm mutants backend-onnx --count 200         the graphs of ONNX models
//   pnpm mutants backend-wasm --typescript        Stryker over a backend's TypeScript
//
// Prints each mutant that lived, and the score; writes results/mutants/PACKAGE.json.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { draw } from "./mutants/draw.js";
import { runStryker } from "./mutants/stryker.js";
import { makeWorkspace } from "./mutants/workspace.js";
import { vulkanEnvironment } from "./vulkan.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    files: { type: "string" },
    typescript: { type: "boolean", default: false },
    concurrency: { type: "string", default: "1" },
  },
});
const [name] = positionals;
if (name === undefined || positionals.length > 1) {
  console.error("expected one package: core, conformance, backend-js, backend-wasm, …");
  process.exit(2);
}
const root = process.cwd();
const own = ["backend-wasm", "backend-webgpu", "backend-onnx"].includes(name) && !values.typescript;
if (!own) {
  process.exit(
    runStryker(root, { name, files: values.files, concurrency: Number(values.concurrency) }),
  );
}

const { languages } = await import("./mutants/languages.js");
const language = languages[name];
const all = await language.all();
const drawn = draw(all, Number(values.count), Number(values.seed));
console.log(`${drawn.length} of ${all.length} mutants, seed ${values.seed}`);
const workspace = makeWorkspace(root);

/** Time that the tests take without a mutant, and ten times that for one that makes them hang. */
let limit = 3_600_000;

/** @returns {"noticed" | "hangs" | "lives"} */
function test(environment) {
  const { status, signal } = spawnSync(
    "node_modules/.bin/vitest",
    ["run", "--project", "node", "--bail", "1", "--reporter", "dot", ...language.tests],
    {
      cwd: workspace.directory,
      stdio: "ignore",
      timeout: limit,
      env: { ...process.env, ...vulkanEnvironment(), HEED_REQUIRE: "", ...environment },
    },
  );
  return signal !== null ? "hangs" : status === 0 ? "lives" : "noticed";
}

const results = [];
try {
  const started = performance.now();
  if (test({}) !== "lives") throw new Error("the tests fail without a mutant");
  limit = Math.max(60_000, Math.ceil(10 * (performance.now() - started)));
  for (const mutant of drawn) {
    let undo = null;
    try {
      undo = await language.plant(mutant, workspace.directory);
    } catch {
      // It does not compile: no program, and so no bug.
    }
    const outcome = undo === null ? "invalid" : test(language.environment(mutant));
    undo?.();
    results.push({ ...mutant, outcome });
    if (outcome === "lives") console.log(`lives: ${describe(mutant)}`);
    else process.stdout.write(outcome === "invalid" ? "i" : ".");
  }
} finally {
  workspace.remove();
}
const counted = results.filter(({ outcome }) => outcome !== "invalid");
const lived = counted.filter(({ outcome }) => outcome === "lives");
const score = (100 * (counted.length - lived.length)) / Math.max(1, counted.length);
console.log(
  `\n${name}: ${score.toFixed(1)} % of ${counted.length} mutants noticed, ${lived.length} lived`,
);
mkdirSync("results/mutants", { recursive: true });
writeFileSync(
  `results/mutants/${name}.json`,
  `${JSON.stringify({ name, seed: values.seed, results }, null, 2)}\n`,
);

/** One line that tells a mutant. */
function describe({ kind, file, row, line, changed, operator, ordinal, replacement }) {
  if (operator !== undefined) return `${kind}: ${operator} ${ordinal} ${replacement ?? ""}`;
  const place = file === undefined ? "" : ` ${file}:${row + 1}`;
  return `${kind}${place}\n  - ${line.trim()}\n  + ${changed.trim()}`;
}
