// `pnpm test [PATH…] [options of vitest]`: builds what the tests need, then runs them.
//
// Without a path, everything is built and every test runs. With paths such as packages/core, only the
// packages that they lie in are built, with the packages that those depend on: tests run on sources,
// but WebAssembly and the bundles that some tests load have to be compiled.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Names of the packages that test paths lie in.
 *
 * @param {readonly string[]} args arguments of the command; vitest's options may be among them
 * @returns {string[] | null} null if everything has to be built: no path is given, or one lies in no package
 */
export function packagesOf(args) {
  const paths = args.filter((arg) =>
    /^(?:\.\/)?(?:packages|apps|templates|test|tools)\b/.test(arg),
  );
  const directories = paths.map(
    (path) => /^(?:\.\/)?((?:packages|apps|templates)\/[^/]+)/.exec(path)?.[1],
  );
  if (paths.length === 0 || directories.includes(undefined)) return null;
  const names = directories.map(
    (directory) => JSON.parse(readFileSync(join(root, directory, "package.json"), "utf8")).name,
  );
  return [...new Set(names)];
}

/** @returns {number} the command's exit code */
function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (error) throw error;
  return status ?? 1;
}

/** Builds, then tests. */
function main(args) {
  const names = packagesOf(args);
  const filters = (names ?? []).map((name) => `--filter=${name}`);
  const started = performance.now();
  const built = run(join("node_modules", ".bin", "turbo"), [
    ...["run", "build", "--output-logs=errors-only", "--log-order=grouped"],
    ...filters,
  ]);
  if (built !== 0) return built;
  console.log(`built in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return run(join("node_modules", ".bin", "vitest"), ["run", ...args]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = main(process.argv.slice(2));
}
