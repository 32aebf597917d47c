// `pnpm mutants PACKAGE`: plants small bugs, one at a time, and counts how many the package's tests notice.
//
//   pnpm mutants core                             Stryker over the package's TypeScript, on Node 24
//   pnpm mutants core --files "tensor/*.ts"       … over some of it
//   pnpm mutants backend-wasm --count 200 --seed 1   AssemblyScript, by a mutator of our own
//   pnpm mutants backend-webgpu --count 200 --minutes 25   the WGSL that kernels emit, by the suite's cases alone
//   pnpm mutants backend-onnx --count 200         the graphs of ONNX models
//   pnpm mutants cache                            bugs of caches, chosen by hand
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
    minutes: { type: "string", default: "600" },
  },
});
const [name] = positionals;
if (name === undefined || positionals.length > 1) {
  console.error("expected one package: core, conformance, backend-js, backend-wasm, …");
  process.exit(2);
}
const root = process.cwd();
const own =
  ["cache", "backend-wasm", "backend-webgpu", "backend-onnx"].includes(name) && !values.typescript;
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
const results = [];
const record = (mutant, { outcome, ...how }) => {
  results.push({ ...mutant, outcome, ...how });
  // Each time: a run that is stopped has told what it found.
  writeResults();
  if (outcome === "lives") console.log(`lives: ${describe(mutant)}`);
  else process.stdout.write(outcome === "invalid" ? "i" : ".");
};
if (language.tryAll) await tryTogether();
else await tryEach();

/** Mutants that are planted while a program runs need no checkout and no start of a test runner each. */
async function tryTogether() {
  const valid = [];
  for (const mutant of drawn) {
    const reason = await language.plant(mutant).catch((error) => error);
    if (reason instanceof Error) record(mutant, { outcome: "invalid" });
    else valid.push(mutant);
  }
  const environment = { ...process.env, ...vulkanEnvironment() };
  for await (const [mutant, result] of language.tryAll(valid, environment, 60 * values.minutes)) {
    record(mutant, result);
  }
}

async function tryEach() {
  const workspace = makeWorkspace(root);
  // Time that the tests take without a mutant, and ten times that for one that makes them hang.
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
      record(mutant, { outcome });
    }
  } finally {
    workspace.remove();
  }
}

const counted = results.filter(({ outcome }) => !["invalid", "not dispatched"].includes(outcome));
const lived = counted.filter(({ outcome }) => outcome === "lives");
const score = (100 * (counted.length - lived.length)) / Math.max(1, counted.length);
const unseen = results.filter(({ outcome }) => outcome === "not dispatched").length;
if (unseen > 0) console.log(`\n${unseen} are in lines that no case dispatches on this device`);
console.log(
  `\n${name}: ${score.toFixed(1)} % of ${counted.length} mutants noticed, ${lived.length} lived`,
);

function writeResults() {
  mkdirSync("results/mutants", { recursive: true });
  writeFileSync(
    `results/mutants/${name}.json`,
    `${JSON.stringify({ name, seed: values.seed, results }, null, 2)}\n`,
  );
}

/** One line that tells a mutant. */
function describe({ kind, file, row, line, changed, operator, ordinal, replacement }) {
  if (operator !== undefined) return `${kind}: ${operator} ${ordinal} ${replacement ?? ""}`;
  if (row === undefined) return `${kind} (${file})`;
  const place = file === undefined ? "" : ` ${file}:${row + 1}`;
  return `${kind}${place}\n  - ${line.trim()}\n  + ${changed.trim()}`;
}
