// A package's own tests as the judge of mutants that the suite's cases leave.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { readState, writeState } from "./state.js";

/**
 * @typedef {object} JudgingTests
 * @property {string} folder the package's tests
 * @property {RegExp} others names of files that are not asked
 * @property {string} config Vitest's configuration, which plants a mutant
 * @property {(directory: string, mutant: unknown) => Record<string, string>} environment tells the configuration what to
 *   plant; may write files into the directory, which is there as long as the tests run
 */

/** Seconds after which tests are stuck, at least. */
const patience = 60;

/** How often tests that fail, and need not, are tried again. */
const tries = 2;

export class PackageTests {
  #tests;
  #files;
  /**
   * How many mutants each file has noticed, and the seconds that the files take without one: each, and together with
   * their imports; null before they have been run.
   *
   * @type {{ noticed: Record<string, number>, costs: Record<string, number>, seconds: number } | null}
   */
  #known = readState("tests");

  /** @param {JudgingTests} tests */
  constructor(tests) {
    this.#tests = tests;
    const { folder, others } = tests;
    this.#files = readdirSync(folder)
      .filter((name) => name.endsWith(".test.ts") && !others.test(name))
      .map((name) => `${folder}/${name}`);
  }

  /**
   * @param {unknown} intact as `environment` takes it: no mutant
   * @param {unknown} changed the mutant
   * @returns {Promise<{ outcome: "noticed" | "hangs", by: string, failures?: string[] } | null>} null if all tests pass
   */
  async judge(intact, changed) {
    if (this.#known === null) {
      this.#known = await this.#measure(intact);
      writeState("tests", this.#known);
    }
    const { noticed, costs, seconds } = this.#known;
    const worth = (file) => (1 + (noticed[file] ?? 0)) / (0.2 + (costs[file] ?? 0));
    // Quick files that noticed many mutants first: the first failure ends a run.
    this.#files.sort((a, b) => worth(b) - worth(a));
    const longest = patience + 4 * seconds;
    // Tests of what is timed fail once in a while on a busy machine; those that notice a mutant fail again.
    for (let failures = 0; failures <= tries; failures++) {
      const found = await this.#run(changed, this.#files, longest);
      if (found?.outcome !== "noticed") return found;
      const file = this.#files.find((path) => found.by.startsWith(basename(path)));
      if (file !== undefined && (await this.#run(changed, [file], longest)) !== null) {
        noticed[file] = (noticed[file] ?? 0) + 1;
        writeState("tests", this.#known);
        return found;
      }
    }
    return null;
  }

  /** @throws Error if a test fails without a mutant */
  async #measure(intact) {
    const costs = {};
    for (let failures = 0; ; failures++) {
      const started = performance.now();
      const found = await this.#run(intact, this.#files, 1e6, (path, seconds) => {
        costs[path] = (costs[path] ?? 0) + seconds;
      });
      const seconds = (performance.now() - started) / 1000;
      if (found === null) return { noticed: {}, costs, seconds };
      if (failures === tries) {
        throw new Error(`the package's tests fail without a mutant: ${found.failures}`);
      }
    }
  }

  /**
   * @param {unknown} mutant as `environment` takes it
   * @param {readonly string[]} files in the order in which they run
   * @param {number} seconds after which the tests are stuck
   * @param {(path: string, seconds: number) => void} [onPass] is told how long a test took
   * @returns what becomes of the mutant; null if all tests pass
   */
  #run(mutant, files, seconds, onPass) {
    const { folder, config, environment } = this.#tests;
    const directory = mkdtempSync(join(tmpdir(), "heed-mutants-"));
    const child = spawn(
      "node_modules/.bin/vitest",
      ["run", "--config", config, "--reporter", "tap-flat"],
      {
        env: {
          ...process.env,
          NO_COLOR: "1",
          ...environment(directory, mutant),
          HEED_MUTANTS_PARENT: String(process.pid),
          HEED_MUTANTS_TESTS: files.join(),
        },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      },
    );
    let text = "";
    child.stdout.on("data", (data) => {
      text += data;
    });
    child.stderr.on("data", (data) => {
      text += data;
    });
    return new Promise((resolve) => {
      let ticks = 0;
      const timer = setInterval(() => {
        ticks += 1;
        if (ticks > seconds) process.kill(-child.pid, "SIGKILL");
      }, 1000);
      child.on("close", (status, signal) => {
        clearInterval(timer);
        rmSync(directory, { recursive: true });
        for (const [, path, time] of text.matchAll(/^ok \d+ - (\S+) .*# time=([\d.]+)ms$/gm)) {
          onPass?.(path, Number(time) / 1000);
        }
        if (status === 0) return resolve(null);
        if (signal !== null) return resolve({ outcome: "hangs", by: "the package's tests" });
        // Tests that were left out after the first failure are "not ok", too, but have no error.
        const failed = /^not ok \d+ - (.*?)( # .*)?\n +---$/m.exec(text)?.[1];
        const by = (failed ?? text.slice(-300)).replace(`${folder}/`, "");
        resolve({ outcome: "noticed", by, failures: [by] });
      });
    });
  }
}
