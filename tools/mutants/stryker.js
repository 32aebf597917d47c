// Stryker over a package's TypeScript. It needs a later Node than this repository, and is needed rarely: it is
// installed beside the repository's own packages when it is first run.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const version = "10.1.1";
const node = `node-linux-${process.arch}@24.21.0`;

/**
 * @param {string} root the repository
 * @param {{ name: string, files?: string, concurrency: number }} options files: a pattern below the package's
 *   src, with `:from-to` for lines
 * @returns {number} Stryker's exit code
 */
export function runStryker(root, { name, files = "**/*.ts", concurrency }) {
  const home = join(root, "node_modules/.cache/heed-stryker");
  const bin = join(home, "node_modules/@stryker-mutator/core/bin/stryker.js");
  if (!existsSync(bin)) {
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "package.json"), JSON.stringify({ private: true }));
    const packages = ["core", "vitest-runner"].map((part) => `@stryker-mutator/${part}@${version}`);
    const flags = ["--no-save", "--legacy-peer-deps", "--silent"];
    execFileSync("npm", ["install", ...flags, ...packages, node], { cwd: home, stdio: "inherit" });
    // The repository's vitest: two copies would not know each other.
    symlinkSync(join(root, "node_modules/vitest"), join(home, "node_modules/vitest"));
    // Stryker uses the compiler's JavaScript interface, which TypeScript 7 does not have.
    symlinkSync(join(root, "node_modules/typescript-5"), join(home, "node_modules/typescript"));
  }
  const config = {
    testRunner: "vitest",
    plugins: [join(home, "node_modules/@stryker-mutator/vitest-runner/dist/src/index.js")],
    vitest: { configFile: "tools/mutants/vitest.config.ts", related: false },
    mutate: [`packages/${name}/src/${files}`, "!**/generated/**"],
    // Tests are run from sources as they are: neither types nor their configuration are looked at.
    disableTypeChecks: false,
    tsconfigFile: "none.json",
    // The wording of messages is not tested, so strings are not mutated.
    mutator: { excludedMutations: ["StringLiteral"] },
    coverageAnalysis: "perTest",
    ignoreStatic: true,
    concurrency,
    reporters: ["clear-text", "json", "progress-append-only"],
    jsonReporter: { fileName: `results/mutants/${name}.json` },
    // Results of a run are kept, and used again where neither the code nor its tests have changed.
    incremental: true,
    incrementalFile: join(home, `${name}.json`),
    tempDirName: join("node_modules/.cache/heed-stryker", "sandbox"),
    ignorePatterns: ["results", "**/dist/page", "conformance-report"],
    allowEmpty: true,
  };
  const file = join(home, "stryker.config.json");
  writeFileSync(file, JSON.stringify(config));
  const node24 = join(home, `node_modules/node-linux-${process.arch}/bin/node`);
  const { status } = spawnSync(node24, [bin, "run", file], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, HEED_MUTANTS_OF: name },
  });
  return status ?? 1;
}
