// The package's own tests as the judge of mutants that the suite's cases leave: threads, parts of keys, errors in units
// of the last place, and numbers that have to be exact.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { modulesText } from "../../../packages/backend-wasm/build/modules-text.js";
import { readState, writeState } from "../suite/state.js";

/**
 * Tests of the suite, which has been asked; of packaging; of how modules are chosen, loaded and ended; and of what
 * TypeScript decides.
 */
const others =
  /^(baseline|relaxed|packaging|teardown|trap|variants\.node|options|allocator|plan|host-keys)\./;

/** Seconds after which tests are stuck, at least. */
const patience = 60;

/** How often tests that fail, and need not, are tried again. */
const tries = 2;

const folder = "packages/backend-wasm/test";

export class PackageTests {
  #files = readdirSync(folder)
    .filter((name) => name.endsWith(".test.ts") && !others.test(name))
    .map((name) => `${folder}/${name}`);
  /**
   * How many mutants each file has noticed, and the seconds that the files take without one: each, and together with
   * their imports; null before they have been run.
   *
   * @type {{ noticed: Record<string, number>, costs: Record<string, number>, seconds: number } | null}
   */
  #known = readState("tests");

  /**
   * @param {{ baseline: Buffer, relaxed: Buffer }} intact the builds without a mutant
   * @param {{ baseline: Buffer, relaxed: Buffer }} changed with it
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
   * @param {Record<string, Buffer>} modules
   * @param {readonly string[]} files in the order in which they run
   * @param {number} seconds after which the tests are stuck
   * @param {(path: string, seconds: number) => void} [onPass] is told how long a test took
   * @returns what becomes of the mutant; null if all tests pass
   */
  #run(modules, files, seconds, onPass) {
    const directory = mkdtempSync(join(tmpdir(), "heed-mutants-"));
    const path = join(directory, "modules.ts");
    writeFileSync(path, modulesText(modules).text);
    const child = spawn(
      "node_modules/.bin/vitest",
      ["run", "--config", "tools/mutants/wasm/vitest.config.js", "--reporter", "tap-flat"],
      {
        env: {
          ...process.env,
          NO_COLOR: "1",
          HEED_MUTANTS_MODULES: path,
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
        const by = (failed ?? text.slice(-300)).replace("packages/backend-wasm/test/", "");
        resolve({ outcome: "noticed", by, failures: [by] });
      });
    });
  }
}
