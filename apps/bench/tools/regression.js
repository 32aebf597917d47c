// Does `--compare` flag a slowdown, and nothing else? Measures a baseline, several unchanged runs, and
// a run for each backend in which its calls take longer by a planted part; compares each with the
// baseline. Run after a build:
//
//   node apps/bench/tools/regression.js --folder runs [--planted js,wasm] [--slowdown 20]
//     [--unchanged 5] [--launches 5] [--budget 500] [--cases standard]
//
// Runs that the folder already holds are not measured again, so that it can be ended and begun anew.
// A backend's change is tested over its cases: with fewer than five, a slowdown of this size can stay
// unsure by chance, so that there have to be as many. The exit code is 1 if an unchanged run raised an
// alarm or a planted slowdown did not.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import writeFileAtomic from "write-file-atomic";
import { renderComparison } from "../dist/cli/comparison.js";
import { nodeEnvironment } from "../dist/cli/environment.js";
import { compareReports } from "../dist/compare/compare.js";
import { backendByName } from "../dist/contenders/backends.js";
import { runBenchmark } from "../dist/measure/run-benchmark.js";
import { mergeLaunches } from "../dist/report/merge-launches.js";
import { parseReport } from "../dist/report/parse.js";
import { requestFromParams, workloadsOf } from "../dist/request.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    folder: { type: "string" },
    planted: { type: "string", default: "js,wasm" },
    slowdown: { type: "string", default: "20" },
    unchanged: { type: "string", default: "5" },
    launches: { type: "string", default: "5" },
    budget: { type: "string", default: "500" },
    cases: { type: "string", default: "standard" },
  },
});

/** The fewest cases that each backend must have been measured on. */
const fewestCases = 5;

/** Wraps a contender so that each call takes longer, by the fraction `part` of its own duration. */
function slower(contender, part) {
  const prolong = (call) => ({
    ...call,
    run: async () => {
      const start = performance.now();
      const outputs = await call.run();
      const end = performance.now() + part * (performance.now() - start);
      while (performance.now() < end);
      return outputs;
    },
  });
  return {
    ...contender,
    load: async () => {
      const loaded = await contender.load();
      const plan = async (problem, inputs) => {
        const made = await loaded.plan(problem, inputs);
        return { ...made, place: async (call) => prolong(await made.place(call)) };
      };
      return { ...loaded, plan };
    },
  };
}

/** One launch, in a process of its own: measures and writes. */
async function launch(params, victim, path) {
  const request = requestFromParams(new URLSearchParams(params));
  const { dtype, threads, budget, samples } = request;
  const part = Number(values.slowdown) / 100;
  const report = await runBenchmark({
    workloads: workloadsOf(request),
    contenders: request.backends.map((name) => {
      const contender = backendByName(name, { threads });
      return name === victim ? slower(contender, part) : contender;
    }),
    environment: nodeEnvironment(),
    dtype,
    threads,
    budget,
    samples,
  });
  // Whole or not there: what is there is not measured again.
  await writeFileAtomic(path, JSON.stringify(report));
}

async function runOf(name, victim) {
  const reports = [];
  for (let i = 1; i <= Number(values.launches); i++) {
    const path = join(values.folder, `${name}.${i}.json`);
    if (!existsSync(path)) {
      const budget = Math.ceil(Number(values.budget) / Number(values.launches));
      const params = new URLSearchParams({
        cases: values.cases,
        backends: values.planted,
        budget: String(budget),
      });
      const script = fileURLToPath(import.meta.url);
      const args = [script, "--slowdown", values.slowdown, String(params), victim, path];
      const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
      if (status !== 0) throw new Error(`${name}, launch ${i}: exit code ${status}`);
    }
    reports.push(parseReport(JSON.parse(await readFile(path, "utf8"))));
  }
  return mergeLaunches(reports);
}

async function main() {
  if (!values.folder) throw new Error("--folder says where the runs are kept");
  const cases = workloadsOf(requestFromParams(new URLSearchParams({ cases: values.cases }))).length;
  if (cases < fewestCases) {
    throw new Error(
      `--cases ${values.cases}: ${cases} of them, and nothing can be said of fewer than ${fewestCases}`,
    );
  }
  await mkdir(values.folder, { recursive: true });
  const baseline = await runOf("baseline", "");
  let wrong = 0;
  const check = async (name, victim) => {
    const comparison = compareReports(baseline, await runOf(name, victim));
    const { contenders, cases } = comparison;
    console.log(`\n== ${name}\n${renderComparison(comparison, false)}`);
    const stray = [...contenders, ...cases].filter(
      ({ contender, verdict }) =>
        verdict === "faster" || (verdict === "slower" && contender !== victim),
    );
    const faults = stray.map((c) => `a FALSE ALARM for ${c.contender}`);
    const found = contenders.find(({ contender }) => contender === victim);
    if (found && found.verdict !== "slower") faults.push(`MISSED: ${victim} is ${found.verdict}`);
    if (faults.length > 0) wrong++;
    console.log(faults.length > 0 ? [...new Set(faults)].join(", ") : "as it should be");
  };
  for (let i = 1; i <= Number(values.unchanged); i++) await check(`unchanged-${i}`, "");
  for (const victim of values.planted.split(",").filter(Boolean)) {
    await check(`planted-${victim}`, victim);
  }
  process.exitCode = wrong > 0 ? 1 : 0;
}

const [params, victim, path] = positionals;
if (path) await launch(params, victim, path);
else await main();
