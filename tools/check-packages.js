// publint and attw over every package that is published. Run after a build.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

let failed = false;
const directories = ["packages", "apps"].flatMap((group) =>
  readdirSync(group).map((name) => join(group, name)),
);
for (const directory of directories) {
  const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  if (manifest.private) continue;
  console.log(`\n${manifest.name}`);
  failed = run("publint", ["run", "--strict", directory]) || failed;
  // Files that are not JavaScript have no types.
  const others = Object.keys(manifest.exports ?? {}).filter((name) => name.endsWith(".wasm"));
  const exclude = others.length > 0 ? ["--exclude-entrypoints", ...others] : [];
  failed = run("attw", ["--pack", directory, "--profile", "esm-only", ...exclude]) || failed;
}
process.exitCode = failed ? 1 : 0;

/** @returns whether the command failed */
function run(command, args) {
  try {
    execFileSync(join("node_modules", ".bin", command), args, { stdio: "inherit" });
    return false;
  } catch {
    return true;
  }
}
