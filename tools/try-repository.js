// Packs everything that is published, makes a backend in a repository of its own from the tarballs, and
// does there what its README says: install, test, check, bench. Run after a build; it takes a minute.
//   node tools/try-repository.js [--keep]
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createRepository } from "./create-backend/create.js";

const root = resolve(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "heed-repository-"));
const pnpm = (cwd, ...args) =>
  execFileSync("npx", ["-y", "pnpm@12.4.2", ...args], {
    cwd,
    stdio: ["ignore", "inherit", "inherit"],
  });

/** @returns {Record<string, string>} where each published package's tarball lies, by name */
function packAll() {
  const tarballs = join(folder, "tarballs");
  mkdirSync(tarballs);
  const packed = {};
  for (const group of ["packages", "apps"]) {
    for (const entry of readdirSync(join(root, group))) {
      const directory = join(root, group, entry);
      const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
      if (manifest.private) continue;
      // Prints every file of every package.
      execFileSync("npx", ["-y", "pnpm@12.4.2", "pack", "--pack-destination", tarballs], {
        cwd: directory,
        stdio: ["ignore", "ignore", "inherit"],
      });
      const file = `${manifest.name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`;
      packed[manifest.name] = `file:${join(tarballs, file)}`;
    }
  }
  return packed;
}

try {
  const packed = packAll();
  const { directory } = createRepository(root, "toy", join(folder, "toy"));
  // None of them is published yet, so that what each says of the others has to lead to the tarballs too.
  writeFileSync(
    join(directory, "pnpm-workspace.yaml"),
    `overrides:\n${Object.entries(packed)
      .map(([name, file]) => `  "${name}": "${file}"\n`)
      .join("")}pmOnFail: warn\nallowBuilds:\n  esbuild: false\n`,
  );
  const step = (title, ...args) => {
    console.log(`\n# ${title}`);
    pnpm(directory, ...args);
  };
  step("install", "install", "--prefer-offline");
  step("npm test", "test");
  step("npm run conformance", "run", "conformance", "--profile", "core");
  step(
    "npm run bench",
    "run",
    "bench",
    "--shape",
    "H2,L32,D16",
    "--samples",
    "3",
    "--json",
    "out.json",
  );
  const { contenders, cases } = JSON.parse(readFileSync(join(directory, "out.json"), "utf8"));
  const found = cases.flatMap(({ results }) => results.map(({ status }) => status));
  if (contenders.length !== 2 || found.some((status) => status !== "measured")) {
    throw new Error(`the benchmark found ${JSON.stringify(contenders)}, ${found}`);
  }
  step("npx heed-bench --list", "exec", "heed-bench", "--list");
  console.log("\na backend in a repository of its own installs, passes, and is measured");
} finally {
  if (process.argv.includes("--keep")) console.log(folder);
  else rmSync(folder, { recursive: true });
}
