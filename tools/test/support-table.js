// `node tools/test/support-table.js REPORT README.md [--write]`: checks that README.md's table of support says
// what the tests found, from the report that HEED_TEST_REPORT named; with --write, makes it say so. Nothing
// runs a second time.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * The reports of a test run for each backend: of the run in Node that had the most cases.
 *
 * @param {readonly { project: string, provider: string, results: readonly { outcome: string }[] }[]} tested
 */
export function wholeReports(tested) {
  const whole = new Map();
  for (const run of tested.filter(({ project }) => project === "node")) {
    const known = whole.get(run.provider);
    if (known === undefined || run.results.length > known.results.length) {
      whole.set(run.provider, run);
    }
  }
  return [...whole.values()].map(({ provider, results }) => {
    const counts = { pass: 0, fail: 0, "known-failure": 0, unsupported: 0 };
    for (const { outcome } of results) counts[outcome] += 1;
    return {
      ...{
        backend: provider,
        unavailable: null,
        info: null,
        environment: `Node ${process.version}`,
      },
      ...{ claims: [], counts, results },
    };
  });
}

const [file, readme, write] = process.argv.slice(2);
const { conformance } = JSON.parse(readFileSync(file, "utf8"));
const { documentToJson, makeDocument } = await import("@heed/conformance");
const names = ["js", "onnx", "wasm", "webgpu"];
const reports = wholeReports(conformance).filter(({ backend }) => names.includes(backend));
const directory = mkdtempSync(join(tmpdir(), "heed-support-"));
try {
  const merged = join(directory, "report.json");
  writeFileSync(merged, documentToJson(makeDocument(reports)));
  const command = ["packages/conformance/bin/heed-conformance.js", "--no-run", "--merge", merged];
  const check = write === "--write" ? [] : ["--check"];
  execFileSync(process.execPath, [...command, "--update-readme", readme, ...check], {
    stdio: "inherit",
  });
} catch {
  process.exitCode = 1;
} finally {
  rmSync(directory, { recursive: true });
}
