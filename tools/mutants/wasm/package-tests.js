// The package's own tests as the judge of mutants that the suite's cases leave: threads, parts of keys, errors in units
// of the last place, and numbers that have to be exact.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { modulesText } from "../../../packages/backend-wasm/build/modules-text.js";

/** Tests of the suite, which has been asked; of packaging; and of how modules are chosen, loaded and ended. */
const others = /^(baseline|relaxed|packaging|teardown|trap|variants\.node|options)\./;

/** Seconds after which tests are stuck, at least. */
const patience = 240;

const folder = "packages/backend-wasm/test";

export class PackageTests {
  #files = readdirSync(folder)
    .filter((name) => name.endsWith(".test.ts") && !others.test(name))
    .map((name) => `${folder}/${name}`);
  /** Seconds that the tests take without a mutant. */
  #seconds = null;

  /**
   * @param {{ baseline: Buffer, relaxed: Buffer }} intact the builds without a mutant
   * @param {{ baseline: Buffer, relaxed: Buffer }} changed with it
   * @returns {Promise<{ outcome: "noticed" | "hangs", by: string, failures?: string[] } | null>} null if all tests pass
   */
  async judge(intact, changed) {
    if (this.#seconds === null) {
      const started = performance.now();
      const found = await this.#run(intact, 1e6);
      if (found !== null) {
        throw new Error(`the package's tests fail without a mutant: ${found.failures}`);
      }
      this.#seconds = (performance.now() - started) / 1000;
    }
    return this.#run(changed, patience + 5 * this.#seconds);
  }

  #run(modules, seconds) {
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
          HEED_MUTANTS_TESTS: this.#files.join(),
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
        if (status === 0) return resolve(null);
        if (signal !== null) return resolve({ outcome: "hangs", by: "the package's tests" });
        const failed = /^not ok \d+ - (.*?)( # .*)?$/m.exec(text)?.[1];
        const by = (failed ?? text.slice(-300)).replace("packages/backend-wasm/test/", "");
        resolve({ outcome: "noticed", by, failures: [by] });
      });
    });
  }
}
