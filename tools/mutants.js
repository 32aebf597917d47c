// `pnpm mutants PACKAGE`: plants small bugs, one at a time, and counts how many are noticed.
//
//   pnpm mutants core --count 400               Stryker's mutators over the package's TypeScript, by its tests
//   pnpm mutants backend-js --count 230         the same mutators, by the package's own tests, then the suite's cases
//   pnpm mutants core --files tensor/ --count 999   … over files whose path contains this
//   pnpm mutants backend-wasm --count 200 --seed 1   AssemblyScript, by the conformance suite's cases, then the
//                                               package's own tests
//   pnpm mutants backend-wasm --cases rotary/   … by those whose id contains this
//   pnpm mutants backend-webgpu --minutes 25    the WGSL that kernels emit, by the suite's cases, then the
//                                               package's own tests
//   pnpm mutants backend-onnx                   what the sources add to ONNX graphs, by the suite's cases
//   pnpm mutants backend-wasm --typescript      Stryker's mutators over a backend's TypeScript
//   pnpm mutants cache                          bugs of caches, chosen by hand
//   pnpm mutants core --again                   those that lived the last time, with the same seed and count
//   pnpm mutants backend-wasm --listed          those that docs/mutation-scores.md lists as living
//   pnpm mutants report                         writes docs/mutation-scores.md from the results
//
// Prints each mutant that lived, and the score; writes results/mutants/PACKAGE.json, from which the report is written
// (but for those listed: they are no sample).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { draw } from "./mutants/draw.js";
import { nameOf, whyEquivalent } from "./mutants/equivalents.js";
import { languages } from "./mutants/languages.js";
import { livingOf, writeReport } from "./mutants/report.js";
import { scoreOf } from "./mutants/score.js";
import { vulkanEnvironment } from "./vulkan.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    files: { type: "string", default: "" },
    typescript: { type: "boolean", default: false },
    again: { type: "boolean", default: false },
    listed: { type: "boolean", default: false },
    minutes: { type: "string", default: "600" },
    cases: { type: "string", default: "" },
  },
});
const [name] = positionals;
if (name === undefined || positionals.length > 1) {
  console.error("expected one package: core, conformance, backend-js, backend-wasm, …");
  process.exit(2);
}
if (name === "report") {
  writeReport();
  process.exit(0);
}
const root = process.cwd();
const end = performance.now() + 60_000 * Number(values.minutes);
const suffix = `${values.typescript ? "-typescript" : ""}${values.listed ? "-listed" : ""}`;
const path = `results/mutants/${name}${suffix}.json`;
/** Results of the last time, by mutant. */
const before = new Map();
if (values.again && existsSync(path)) {
  for (const mutant of JSON.parse(readFileSync(path, "utf8")).results) {
    // Mutants that lived, and are known to be equivalent by now, need not live again.
    const reason = mutant.outcome === "lives" ? whyEquivalent(name, mutant) : null;
    if (reason !== null) before.set(keyOf(mutant), { ...mutant, outcome: "equivalent", reason });
    else if (mutant.outcome !== "lives") before.set(keyOf(mutant), mutant);
  }
}
const results = [];
let of = 0;

function record(mutant, found) {
  const reason = found.outcome === "lives" ? whyEquivalent(name, mutant) : null;
  const result = reason === null ? found : { outcome: "equivalent", reason };
  results.push({ ...mutant, ...result });
  // Each time: a run that is stopped has told what it found.
  write();
  const sign = { invalid: "i", equivalent: "e", "on load": "l", "not dispatched": "d" };
  if (result.outcome === "lives") console.log(`\nlives: ${nameOf(mutant)}`);
  else process.stdout.write(sign[result.outcome] ?? ".");
}

if (name === "cache") {
  const { tryChosen } = await import("./mutants/chosen.js");
  tryChosen(root, record);
} else if (languages[name] && !values.typescript) {
  await tryLanguage(languages[name]);
} else {
  await tryTypeScript();
}

async function tryLanguage({ all, check, child, tests }) {
  const { Trial } = await import("./mutants/suite/run.js");
  const trial = new Trial(child, {
    ...process.env,
    ...vulkanEnvironment(),
    HEED_MUTANTS_CASES: values.cases,
  });
  try {
    const sample = drawOf(all ? await all() : await trial.mutants());
    const drawn = sample.filter((mutant) => {
      const known = before.get(keyOf(mutant));
      if (known) results.push(known);
      return known === undefined;
    });
    for (const mutant of tests ? await leftByTests(drawn, tests) : drawn) {
      if (performance.now() > end) {
        keepBefore(mutant, sample);
        break;
      }
      const invalid = await check?.(mutant).catch((error) => error);
      const found = invalid instanceof Error ? { outcome: "invalid" } : await trial.try(mutant);
      record(mutant, found);
    }
    if (child.asksTests) await askTests(trial);
  } finally {
    trial.end();
  }
}

/**
 * Records the mutants of TypeScript that tests notice. They take seconds for all, where the suite takes them for each.
 *
 * @returns those that the tests leave, or cannot switch, in the order drawn
 */
async function leftByTests(drawn, tests) {
  const { tryTypeScript: tryAll } = await import("./mutants/typescript/run.js");
  const left = new Set();
  await tryAll(root, drawn, tests, (index, result) => {
    if (result.outcome === "lives" || result.outcome === "on load") left.add(drawn[index]);
    else record(drawn[index], result);
  });
  return drawn.filter((mutant) => left.has(mutant));
}

/** Keeps the results of what was drawn before a mutant: of later ones, those that tests notice would be too many. */
function keepBefore(mutant, sample) {
  const earlier = new Set(sample.slice(0, sample.indexOf(mutant)).map(keyOf));
  const kept = results.filter((result) => earlier.has(keyOf(result)));
  results.splice(0, results.length, ...kept);
}

/** The package's tests are asked once all cases have been: they take a minute for a mutant that they do not notice. */
async function askTests(trial) {
  console.log("\nthe package's tests:");
  for (const mutant of results.filter(({ outcome }) => outcome === "lives")) {
    if (performance.now() > end) break;
    const { outcome, cases, differ, ...drawn } = mutant;
    const found = await trial.try(drawn, "tests");
    results.splice(results.indexOf(mutant), 1);
    record(drawn, { cases, differ, ...found });
  }
}

async function tryTypeScript() {
  const { listMutants } = await import("./mutants/typescript/instrument.js");
  const { tryTypeScript: tryAll } = await import("./mutants/typescript/run.js");
  const { typeScriptOf } = await import("./mutants/packages.js");
  const { sources, tests } = typeScriptOf(name);
  if (tests.length === 0) throw new Error(`${name} has no tests of its own in Node`);
  const wanted = sources.filter((file) => file.includes(values.files));
  const all = await listMutants(root, wanted);
  const drawn = drawOf(all).filter((mutant) => {
    const known = before.get(keyOf(mutant));
    if (known) results.push(known);
    return known === undefined;
  });
  await tryAll(root, drawn, tests, (index, result) => record(drawn[index], result));
}

function drawOf(all) {
  of = all.length;
  if (values.listed) {
    const names = livingOf(name);
    const listed = all.filter((mutant) => names.has(nameOf(mutant)));
    console.log(`${listed.length} of ${of} mutants, which the page lists as living`);
    return listed;
  }
  const drawn = draw(all, Number(values.count), Number(values.seed));
  console.log(`${drawn.length} of ${of} mutants, seed ${values.seed}`);
  return drawn;
}

write();
const { score, counted, lived, notCounted } = scoreOf(results);
for (const [outcome, count] of Object.entries(notCounted)) {
  console.log(`\nnot counted: ${count} ${outcome}`);
}
console.log(`\n${name}: ${score.toFixed(1)} % of ${counted} mutants noticed, ${lived} lived`);

function write() {
  mkdirSync("results/mutants", { recursive: true });
  const seed = Number(values.seed);
  writeFileSync(path, `${JSON.stringify({ name, seed, of, results }, null, 2)}\n`);
}

/** Tells a mutant from all others of its package. */
function keyOf({ outcome, by, cases, differ, failures, reached, reason, ...mutant }) {
  return JSON.stringify(mutant);
}
