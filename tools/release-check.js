// `pnpm release:check [--out FOLDER]`: makes a release of everything that is published and looks at it, without publishing
// and without changing the working tree: versions and changelogs by changesets, tarballs, what is in them, publint, attw,
// npm's dry run, a bill of materials. Run after a build. FOLDER gets the tarballs and bills: `npm publish` takes those.
import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import { inspectPackage, pack, peerProblems } from "./release/inspect.js";
import { stage } from "./release/stage.js";
import { repositoryAddress } from "./repository-address.js";

const root = resolve(import.meta.dirname, "..");
const { values } = parseArgs({ options: { out: { type: "string" } } });
const work = mkdtempSync(join(tmpdir(), "heed-release-"));
const problems = [];
try {
  await check();
} finally {
  rmSync(work, { recursive: true });
}
for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? "ready for a release" : `${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;

async function check() {
  const [staging, packed, unpacked] = ["stage", "packed", "unpacked"].map((name) =>
    join(work, name),
  );
  for (const folder of [staging, packed, unpacked]) mkdirSync(folder);
  const staged = stage(root, staging);
  if (repositoryAddress(root) === "") {
    console.log(
      "repository.url of package.json is empty: packages are released without an address",
    );
  }
  const versions = new Map(staged.map(({ name, manifest }) => [name, manifest.version]));
  problems.push(...peerProblems(root, staged));
  const tarballs = pack(
    staged.map(({ folder }) => join(staging, folder)),
    packed,
  );
  for (const { name, folder, manifest } of staged) {
    const { tarball, size, unpackedSize, files } = tarballs.get(name);
    const own = join(unpacked, folder);
    mkdirSync(own, { recursive: true });
    execFileSync("tar", ["-xzf", tarball, "-C", own, "--strip-components=1"]);
    const found = inspectPackage(own, versions);
    found.push(...(await judge(name, manifest, tarball)));
    problems.push(...found);
    const sizes = `${kilobytes(size)} packed, ${kilobytes(unpackedSize)} unpacked, ${files} files`;
    console.log(`${found.length === 0 ? "ok   " : "FAILS"} ${name}@${manifest.version}: ${sizes}`);
  }
  dryRun(staging, staged);
  billOfMaterials(staging, packed, staged);
  if (values.out !== undefined) cpSync(packed, resolve(values.out), { recursive: true });
}

/** publint and attw, at once. */
async function judge(name, manifest, tarball) {
  const bin = (command) => join(root, "node_modules/.bin", command);
  // Files that are not JavaScript have no types.
  const others = Object.keys(manifest.exports).filter((path) => path.endsWith(".wasm"));
  const exclude = others.length > 0 ? ["--exclude-entrypoints", ...others] : [];
  const runs = [
    [bin("publint"), ["run", "--strict", tarball]],
    [bin("attw"), [tarball, "--profile", "esm-only", ...exclude]],
  ];
  const failures = await Promise.all(
    runs.map(async ([command, args]) => {
      try {
        await promisify(execFile)(command, args, { cwd: work, maxBuffer: 2 ** 26 });
        return [];
      } catch ({ stdout, stderr, message }) {
        return [`${name}: ${command} ${args[0]}:\n${stdout || stderr || message}`];
      }
    }),
  );
  return failures.flat();
}

/** npm does all of publishing but the last step. */
function dryRun(staging, staged) {
  const options = ["--workspaces", "--dry-run", "--json", "--ignore-scripts", "--access", "public"];
  const output = execFileSync("npm", ["publish", ...options], {
    cwd: staging,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 2 ** 26,
  });
  const missing = staged.filter(
    ({ name, manifest }) => !output.includes(`"${name}@${manifest.version}"`),
  );
  problems.push(...missing.map(({ name }) => `${name}: npm would not publish it`));
  console.log(`${staged.length - missing.length} packages in npm's dry run`);
}

/** Dependencies of each package, in CycloneDX's format, from the lockfile. */
function billOfMaterials(staging, packed, staged) {
  const filters = staged.flatMap(({ name }) => ["--filter", name]);
  const options = ["--sbom-format", "cyclonedx", "--prod", "--lockfile-only", "--split"];
  execFileSync(
    "npx",
    ["-y", "pnpm@12.4.2", "sbom", ...options, ...filters, "--out", join(packed, "%s-%v.cdx.json")],
    {
      cwd: staging,
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  const bills = readdirSync(packed, { recursive: true }).filter((file) =>
    file.endsWith(".cdx.json"),
  );
  const bytes = bills.reduce((sum, file) => sum + statSync(join(packed, file)).size, 0);
  console.log(`${bills.length} bills of materials, ${kilobytes(bytes)}`);
  if (bills.length !== staged.length) problems.push(`expected ${staged.length} bills of materials`);
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(bytes < 10_000 ? 1 : 0)} kB`;
}
