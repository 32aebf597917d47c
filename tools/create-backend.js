// Makes a package for a backend from the template, registers it, and runs the core profile on it.
//   pnpm create-backend NAME
import { execFileSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { createBackend } from "./create-backend/create.js";

const pnpm = (...args) => execFileSync("npx", ["-y", "pnpm@12.4.2", ...args], { stdio: "inherit" });

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [name, ...more] = process.argv.slice(2);
  if (name === undefined || more.length > 0 || name.startsWith("-")) {
    console.error("usage: pnpm create-backend NAME");
    process.exit(2);
  }
  let created;
  try {
    created = createBackend(process.cwd(), name);
  } catch (error) {
    console.error(`error: ${error.message}`);
    process.exit(2);
  }
  pnpm("install", "--no-frozen-lockfile");
  pnpm("conformance", "--backend", name, "--profile", "core");
  console.log(`
${created.directory} is a backend, right and slow. Now:
  1. make src/index.ts fast, or do more: what it refuses is in refusals()
  2. pnpm conformance --backend ${name}            what it gets wrong, and how
  3. pnpm conformance --backend ${name} --case ID  one case again
  4. drop { profile: "core" } in test/conformance.test.ts, so that pnpm test runs every case`);
}
