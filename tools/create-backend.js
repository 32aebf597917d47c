// Makes a package for a backend from the template, registers it, and runs the core profile on it.
//   pnpm create-backend NAME
// Or makes one with a repository of its own, in another folder, that depends on what is published.
//   pnpm create-backend NAME --repository ../my-backend
import { execFileSync } from "node:child_process";
import { relative } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { createBackend, createRepository } from "./create-backend/create.js";

const pnpm = (...args) => execFileSync("npx", ["-y", "pnpm@12.4.2", ...args], { stdio: "inherit" });

function main() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { repository: { type: "string" } },
  });
  const [name, ...more] = positionals;
  if (name === undefined || more.length > 0) {
    throw new Error("usage: pnpm create-backend NAME [--repository FOLDER]");
  }
  if (values.repository !== undefined) {
    const { directory } = createRepository(process.cwd(), name, values.repository);
    console.log(`${directory} is a backend, correct but slow. README.md says how to test and measure it:
  cd ${relative(process.cwd(), directory)} && npm install && npm test`);
    return;
  }
  const { directory } = createBackend(process.cwd(), name);
  pnpm("install", "--no-frozen-lockfile");
  pnpm("conformance", "--backend", name, "--profile", "core");
  console.log(`
${directory} is a backend, correct but slow. Next (CONTRIBUTING.md says more):
  - make src/index.ts faster, or compute what refusals() refuses
  - pnpm conformance --backend ${name}            says what it gets wrong, and how
  - pnpm conformance --backend ${name} --case ID  runs one case again
  - pnpm bench --cases speed --backends js,${name}  measures how fast it is
  - drop { profile: "core" } in test/conformance.test.ts, so that pnpm test runs every case`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    main();
  } catch (error) {
    // A child command that failed has already printed its own error.
    if (error.status === undefined) console.error(`error: ${error.message}`);
    process.exitCode = 2;
  }
}
