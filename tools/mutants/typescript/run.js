// Tries mutants of TypeScript with a package's tests, in one process as long as it answers.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { instrument } from "./instrument.js";

/** Files of tests that see a mutant once more, in a process of their own. */
const mostFiles = 12;

/** Seconds without an event after which the process is stuck: a file of tests imports everything first. */
const longestSilence = 120;

/**
 * @param {string} root
 * @param {readonly import("./instrument.js").TypeScriptMutant[]} drawn
 * @param {readonly string[]} tests files, in order
 * @param {(index: number, result: object) => void} record is told what becomes of each mutant
 */
export async function tryTypeScript(root, drawn, tests, record) {
  const { files, ids } = await instrument(root, drawn);
  const directory = mkdtempSync(join(tmpdir(), "heed-mutants-"));
  const log = join(directory, "log");
  const task = join(directory, "task.json");
  const known = new Set();
  const reached = new Set();
  /** Files of tests in which a mutant did not run while it was on, by its index: a cache had kept what they ask for. */
  const kept = new Map();
  /** Tests that have seen every mutant, or in which the process was stuck without one. */
  const tried = new Set();
  const stuck = new Set();
  const settle = (index, result) => {
    if (known.has(index)) return;
    known.add(index);
    record(index, result);
  };
  let left = [...tests];
  try {
    while (left.length > 0) {
      writeFileSync(log, "");
      const state = { known: [...known], tried: [...tried], tests: left };
      writeFileSync(task, JSON.stringify({ files, ids, log, ...state }));
      const { running, test, done, onLoad, ended } = await watch(root, task, log, (event) => {
        if (event.reached !== undefined) reached.add(event.reached);
        if (event.kept !== undefined) {
          kept.set(event.kept, (kept.get(event.kept) ?? new Set()).add(event.file));
        }
        if (event.noticed !== undefined) {
          settle(event.noticed, { outcome: "noticed", by: event.by, failures: [event.failure] });
        }
        if (event.tried !== undefined) tried.add(event.tried);
        if (event.notRepeatable ?? event.leftOut) console.log(`\n${JSON.stringify(event)}`);
      });
      if (running !== null) settle(running, { outcome: "hangs" });
      else if (!ended) {
        // An earlier mutant left something behind; the second time it is the test itself.
        console.log(`\nstuck without a mutant: ${test?.name}`);
        if (test && stuck.has(test.id)) tried.add(test.id);
        stuck.add(test?.id);
      }
      for (const index of onLoad) {
        if (!reached.has(index)) settle(index, { outcome: "on load" });
      }
      left = left.filter((test) => ![...done].some((path) => path.endsWith(test)));
      // Vitest gives up a file that it cannot import for a minute, as where the machine, or this process, has stood still.
      if (ended && left.length > 0) console.log(`\nnot run, and tried again: ${left.join(", ")}`);
      if (running === null && test === null && done.size === 0) {
        throw new Error(`tests do not start: ${left.join(", ")}`);
      }
    }
    for (const [index, paths] of kept) {
      if (known.has(index)) continue;
      const own = tests.filter((file) => [...paths].some((path) => path.endsWith(file)));
      const common = { files, ids, log, known: [], tried: [], tests: own.slice(0, mostFiles) };
      writeFileSync(log, "");
      writeFileSync(task, JSON.stringify({ ...common, alone: index }));
      const { test } = await watch(root, task, log, ({ noticed, by, failure }) => {
        if (noticed !== undefined) settle(index, { outcome: "noticed", by, failures: [failure] });
        return noticed !== undefined;
      });
      // The process did not end by itself, and nobody ended it for what it told.
      if (test !== null) settle(index, { outcome: "hangs" });
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  for (const index of drawn.keys()) {
    if (!known.has(index)) {
      settle(index, { outcome: "lives", ...(!reached.has(index) && { reached: false }) });
    }
  }
}

/** Runs the tests until they end, are stuck in a mutant, or `onEvent` says that it has heard enough. */
function watch(root, task, log, onEvent) {
  const child = spawn(
    "node_modules/.bin/vitest",
    ["run", "--config", "tools/mutants/typescript/vitest.config.js", "--reporter", "dot"],
    {
      cwd: root,
      env: { ...process.env, HEED_MUTANTS_TASK: task },
      stdio: ["ignore", "ignore", "ignore"],
      detached: true,
    },
  );
  const state = { running: null, test: null, done: new Set(), onLoad: [] };
  let at = 0;
  let isOver = false;
  const read = () => {
    const text = existsSync(log) ? readFileSync(log, "utf8") : "";
    const end = text.lastIndexOf("\n") + 1;
    const lines = text.slice(at, end).split("\n").filter(Boolean);
    at = end;
    for (const line of lines) {
      const event = JSON.parse(line);
      if (event.running !== undefined) state.running = event.running;
      if (event.test !== undefined) state.test = event.test;
      if (event.done !== undefined) state.done.add(event.done);
      if (event.onLoad !== undefined) state.onLoad.push(event.onLoad);
      isOver ||= onEvent(event) === true;
    }
    return lines.length > 0;
  };
  return new Promise((resolve) => {
    let silence = 0;
    const timer = setInterval(() => {
      silence = read() ? 0 : silence + 1;
      if (isOver || silence > longestSilence) process.kill(-child.pid, "SIGKILL");
    }, 1000);
    child.on("exit", () => {
      clearInterval(timer);
      read();
      resolve({ ...state, ended: state.running === null && state.test === null });
    });
  });
}
