// `pnpm docs [--base /path/]`: builds the whole site into `apps/docs/dist`, static files for any host. Needs `pnpm build`.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { repositoryAddress } from "../../../tools/repository-address.js";
import { assemble } from "./assemble.js";
import { headers, hostPage } from "./host.js";
import { writeReference } from "./reference.js";

const app = resolve(import.meta.dirname, "..");
const root = resolve(app, "../..");
const generated = join(app, "generated");
const dist = join(app, "dist");

const { values } = parseArgs({
  options: {
    base: { type: "string", default: "/" },
  },
});
if (!/^\/(?:.*\/)?$/.test(values.base)) {
  throw new Error(`--base: expected a path with a slash at both ends, got ${values.base}`);
}
process.env.HEED_SITE_BASE = values.base;

const times = [];
async function timed(name, work) {
  const start = performance.now();
  const result = await work();
  times.push(`${name} ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

const address = repositoryAddress(root);
const problems = await timed("pages", () =>
  assemble(root, join(generated, "site"), { base: values.base, address }),
);
for (const problem of problems) console.error(problem);
writeFileSync(join(generated, "site.json"), JSON.stringify({ address }));
await timed("reference", () =>
  writeReference(root, values.base, join(generated, "api"), join(generated, "site/reference.md")),
);
await timed("vitepress", async () => {
  const { build } = await import("vitepress");
  await build(app);
});
for (const name of ["conformance", "explorer"]) {
  await timed(`${name} page`, () => {
    const page = join(root, "apps", name);
    const vite = join(page, "node_modules/vite/bin/vite.js");
    const command = [vite, "build", "--outDir", join(generated, name), "--emptyOutDir"];
    execFileSync(process.execPath, [...command, "--logLevel", "warn"], {
      cwd: page,
      stdio: "inherit",
    });
  });
}
const bench = join(root, "apps/bench/dist/page");
if (!existsSync(bench)) throw new Error("the benchmark's page has not been built: pnpm build");
rmSync(join(dist, "api"), { recursive: true, force: true });
cpSync(join(generated, "api"), join(dist, "api"), { recursive: true });
hostPage(bench, join(dist, "bench"));
hostPage(join(generated, "conformance"), join(dist, "conformance"));
hostPage(join(generated, "explorer"), join(dist, "explorer"));
writeFileSync(join(dist, "_headers"), headers);
writeFileSync(join(dist, ".nojekyll"), "");
console.log(`${dist}: ${times.join(", ")}`);
process.exitCode = problems.length > 0 ? 1 : 0;
