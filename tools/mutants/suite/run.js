// Tries mutants in a child process that lives as long as it answers.
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * @typedef {object} Child
 * @property {string} script
 * @property {readonly string[]} [arguments]
 * @property {readonly string[]} [execArgv]
 * @property {number} [longestSilence] processor seconds without an answer after which it hangs; default 60: a case takes less than
 *   one, a program a few to compile
 * @property {boolean} [asksTests] whether it asks the package's tests, too
 */

/** Seconds without an answer after which a child hangs that does not even compute. */
const longestWait = 300;

/** Processor seconds that a process has taken, by all its threads; null where that cannot be read. */
function secondsOf(pid) {
  try {
    // Fields after the name, which is in parentheses; user and system time are in hundredths of a second.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return null;
  }
}

export class Trial {
  #child;
  #environment;
  #process = null;
  #mutants = null;
  /** See state.js. */
  #state = mkdtempSync(join(tmpdir(), "heed-mutants-"));

  /**
   * @param {Child} child a script that takes `{ mutant, asked }` as messages, and answers `{ running }` for each case and
   *   `{ result }` at the end; its first message may be `{ mutants }`: every mutant there is
   * @param {Record<string, string>} environment
   */
  constructor(child, environment) {
    this.#child = child;
    this.#environment = environment;
  }

  /** Every mutant there is, if the child says so. */
  async mutants() {
    await this.#start();
    return this.#mutants;
  }

  /**
   * @param {object} mutant
   * @param {"cases" | "tests"} asked who is asked: the suite's cases, or the package's tests
   * @returns {Promise<{ outcome: string, by?: string, cases: number }>}
   */
  async try(mutant, asked = "cases") {
    await this.#start();
    const result = await ask(this.#process, { mutant, asked }, this.#child.longestSilence ?? 60);
    // The process is stuck, or gone.
    if (result.outcome === "hangs") this.#kill();
    return result;
  }

  end() {
    this.#kill();
    rmSync(this.#state, { recursive: true, force: true });
  }

  #kill() {
    this.#process?.kill("SIGKILL");
    this.#process = null;
  }

  async #start() {
    if (this.#process !== null) return;
    const { script, arguments: list = [], execArgv = [] } = this.#child;
    const started = fork(script, list, {
      env: { ...this.#environment, HEED_MUTANTS_STATE: this.#state },
      execArgv,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const first = await new Promise((resolve, reject) => {
      started.once("message", resolve);
      started.once("exit", () => reject(new Error("the process that tries mutants ended")));
    });
    started.removeAllListeners("exit");
    this.#process = started;
    this.#mutants ??= first.mutants;
  }
}

function ask(child, message, longestSilence) {
  return new Promise((resolve) => {
    let running = "";
    let silence = 0;
    let since = secondsOf(child.pid);
    const done = (result) => {
      clearInterval(timer);
      child.removeAllListeners("message");
      child.removeAllListeners("exit");
      resolve(result);
    };
    const hangs = () => done({ outcome: "hangs", by: running, cases: 0 });
    // Ticks, not the clock: a machine that slept, or stopped both processes, was not silent; and processor time,
    // since a machine that is busy makes anything slow.
    const timer = setInterval(() => {
      silence += 1;
      const now = secondsOf(child.pid);
      const computed = now === null || since === null ? silence : now - since;
      if (computed > longestSilence || silence > longestWait) hangs();
    }, 1000);
    child.on("message", ({ running: name, result }) => {
      if (result) return done(result);
      running = name;
      silence = 0;
      since = secondsOf(child.pid);
    });
    // A crash is noticed, too.
    child.on("exit", hangs);
    child.send(message);
  });
}
