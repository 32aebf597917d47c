// Runs each test without a mutant, and then again with each mutant that it reached and no test has noticed: tests
// are collected once, and nothing is imported again. Or, where the task names one mutant, runs each test once, with this
// mutant from the start.
import { appendFileSync, readFileSync } from "node:fs";
import { VitestTestRunner } from "vitest/runners";

/** Seconds, by ticks, that a test may take beyond ten times what it takes without a mutant. */
const patience = 5;
/** Processor seconds for which a test is repeated: a long one sees as many of the mutants that are left by then. */
const mostSeconds = 20;

/** Kept, since tests put others in their place, and a mutant may keep them from putting these back. */
const { setInterval, clearInterval } = globalThis;
const now = performance.now.bind(performance);

const task = JSON.parse(readFileSync(process.env.HEED_MUTANTS_TASK, "utf8"));
const { ids, known, log, tried, alone = null } = task;
/** Mutants that no test has noticed, by their identifiers in the code. */
const living = new Map(Object.entries(ids).filter(([, index]) => !known.includes(index)));
const tell = (event) => appendFileSync(log, `${JSON.stringify(event)}\n`);

/** Read by the code that Stryker's instrumenter writes. */
globalThis.__stryker__ ??= {};
const switches = globalThis.__stryker__;
switches.mutantCoverage = { static: {}, perTest: {} };
if (alone !== null) switches.activeMutant = Object.keys(ids).find((id) => ids[id] === alone);

export default class MutantsRunner extends VitestTestRunner {
  async runTask(test) {
    const name = `${test.file.name.replace(/^packages\//, "")}: ${test.name}`;
    const own = { ...test.result };
    // By an earlier process, which was stuck later.
    if (tried.includes(test.id)) return;
    tell({ test: { id: test.id, name } });
    if (alone !== null) {
      await runAlone(test, name);
      return;
    }
    // The hooks before it have run.
    const started = now();
    switches.currentTestId = test.id;
    try {
      await VitestTestRunner.getTestFn(test)();
    } catch (error) {
      tell({ test: null });
      throw error;
    } finally {
      switches.currentTestId = undefined;
    }
    const milliseconds = now() - started;
    const hits = switches.mutantCoverage.perTest[test.id] ?? {};
    delete switches.mutantCoverage.perTest[test.id];
    const wanted = Object.keys(hits).filter((id) => living.has(id));
    for (const id of Object.keys(hits)) if (id in ids) tell({ reached: ids[id] });
    if (wanted.length === 0) {
      tell({ test: null, tried: test.id });
      return;
    }

    /** Whether the test has passed a second time. */
    let isRepeatable = false;
    const before = process.cpuUsage();
    let left = wanted.length;
    for (const id of wanted) {
      const { user, system } = process.cpuUsage(before);
      if ((user + system) / 1e6 > mostSeconds) {
        tell({ leftOut: left, test: name, milliseconds });
        break;
      }
      left -= 1;
      tell({ running: ids[id] });
      const failure = await attempt(test, milliseconds, id, hits[id]);
      if (failure === null) {
        // The mutant did not run: a cache has kept what the test asked for without it.
        if (switches.hitCount === 0) tell({ kept: ids[id], file: test.file.filepath });
        isRepeatable = true;
        continue;
      }
      // The mutant is to blame only if the test passes without it, or did when it was repeated before.
      const passes = (await attempt(test, milliseconds)) === null;
      if (!passes && !isRepeatable) {
        tell({ notRepeatable: name });
        break;
      }
      isRepeatable = true;
      living.delete(id);
      tell({ noticed: ids[id], by: name, failure });
      // The mutant has left something behind.
      if (!passes) break;
    }
    tell({ running: null, test: null, tried: test.id });
    test.result = own;
  }

  onAfterRunSuite(suite) {
    if (suite.type === "suite" && suite.filepath) tell({ done: suite.filepath });
    return super.onAfterRunSuite(suite);
  }

  onAfterRunFiles() {
    for (const id of Object.keys(switches.mutantCoverage.static)) {
      if (id in ids) tell({ onLoad: ids[id] });
    }
    super.onAfterRunFiles();
  }
}

/** Runs a test with the mutant of the task. */
async function runAlone(test, name) {
  try {
    await VitestTestRunner.getTestFn(test)();
  } catch (error) {
    tell({ noticed: alone, by: name, failure: String(error?.message ?? error).slice(0, 200) });
    throw error;
  }
  tell({ test: null });
}

/** @returns what failed, or null */
async function attempt(test, milliseconds, id, hits) {
  const ticks = 10 * (patience + (10 * milliseconds) / 1000);
  let timer;
  const late = new Promise((_, reject) => {
    let ticked = 0;
    timer = setInterval(() => {
      ticked += 1;
      if (ticked > ticks) reject(new Error("it does not end"));
    }, 100);
  });
  const errors = test.result.errors;
  switches.hitCount = 0;
  switches.hitLimit = 100 * (hits ?? 0) + 10_000;
  switches.activeMutant = id;
  const cleanups = [];
  try {
    const body = (async () => {
      for (const suite of suitesOf(test)) {
        for (const hook of VitestTestRunner.getSuiteHooks(suite).beforeEach) {
          const cleanup = await hook(test.context, suite);
          if (typeof cleanup === "function") cleanups.push(cleanup);
        }
      }
      await VitestTestRunner.getTestFn(test)();
    })();
    await Promise.race([body, late]);
    return test.result.state === "fail" ? "a soft expectation failed" : null;
  } catch (error) {
    return String(error?.message ?? error).slice(0, 200);
  } finally {
    clearInterval(timer);
    for (const suite of suitesOf(test).reverse()) {
      for (const hook of VitestTestRunner.getSuiteHooks(suite).afterEach) {
        await Promise.resolve(hook(test.context, suite)).catch(() => {});
      }
    }
    for (const cleanup of [...cleanups, ...(test.onFinished ?? [])]) {
      await Promise.resolve(cleanup(test.context)).catch(() => {});
    }
    test.onFinished = undefined;
    switches.activeMutant = undefined;
    test.result.state = "run";
    test.result.errors = errors;
  }
}

function suitesOf(test) {
  const suites = [];
  for (let suite = test.suite ?? test.file; suite; suite = suite.suite) suites.unshift(suite);
  if (suites[0] !== test.file) suites.unshift(test.file);
  return suites;
}
