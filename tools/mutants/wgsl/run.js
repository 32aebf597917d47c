// Tries mutants of WGSL in a child process that lives as long as it answers.
import { fork } from "node:child_process";
import { join } from "node:path";

/** A case of the smaller ones takes less than a second, a kernel a few to compile. */
const longestSilence = 60_000;

/**
 * @param {readonly object[]} mutants
 * @param {Record<string, string>} environment
 * @param {number} seconds how long to go on; mutants that are not reached have no result
 * @yields {[mutant: object, result: { outcome: string, by?: string, cases: number }]}
 */
export async function* tryMutants(mutants, environment, seconds) {
  const end = performance.now() + 1000 * seconds;
  let child = null;
  try {
    for (const mutant of mutants) {
      if (performance.now() > end) return;
      child ??= await start(environment);
      const result = await ask(child, mutant);
      // The process is stuck in a kernel.
      if (result.outcome === "hangs") {
        child.kill("SIGKILL");
        child = null;
      }
      yield [mutant, result];
    }
  } finally {
    child?.kill("SIGKILL");
  }
}

function start(environment) {
  const child = fork(join(import.meta.dirname, "child.js"), {
    env: environment,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  return new Promise((resolve, reject) => {
    child.once("message", () => resolve(child));
    child.once("exit", () => reject(new Error("the process that tries mutants ended")));
  });
}

function ask(child, mutant) {
  return new Promise((resolve) => {
    let running = "";
    let timer;
    const done = (result) => {
      clearTimeout(timer);
      child.removeAllListeners("message");
      child.removeAllListeners("exit");
      resolve(result);
    };
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => done({ outcome: "hangs", by: running, cases: 0 }), longestSilence);
    };
    child.on("message", ({ running: name, result }) => {
      if (result) return done(result);
      running = name;
      wait();
    });
    // A crash of the driver is noticed, too.
    child.on("exit", () => done({ outcome: "hangs", by: running, cases: 0 }));
    wait();
    child.send(mutant);
  });
}
