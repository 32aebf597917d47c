import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { browserNames, engineNames, findEngine, hasEngine, openPage } from "@heed/bench/engines";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { main } from "../src/cli/main.js";
import { servePage } from "../src/cli/serve.js";
import { parseReport } from "../src/report/parse.js";

const required = (process.env.HEED_REQUIRE ?? "").split(",");

for (const name of engineNames) {
  test.runIf(!hasEngine(name))(`${name} is available`, ({ skip }) => {
    if (required.includes(name)) findEngine(name);
    skip(`no ${name}`);
  });
}

const browsers = browserNames.filter(hasEngine);

describe.each(browsers)("the page in %s", { timeout: 180_000 }, (name) => {
  test("measures, shows what came, and fits a phone", async () => {
    const served = await servePage({ port: 0, isolated: true });
    onTestFinished(() => served.close());
    const page = await openPage(name);
    onTestFinished(() => page.close());
    await page.resize(1200, 900);
    await page.goto(`${served.url}?cases=sweep-length-16&backends=js,wasm&samples=2&ceiling=false`);
    const seen = <T>(expression: string, expected: T) =>
      expect.poll(() => page.evaluate<T>(expression), { timeout: 120_000 }).toEqual(expected);
    await seen("document.querySelectorAll('.capabilities').length > 0", true);
    await page.evaluate("document.querySelector('button.run').click()");
    await seen(
      "document.querySelectorAll('.results tbody tr').length > 0 && !document.querySelector('progress')",
      true,
    );
    const text = await page.evaluate<string>("document.querySelector('.results').textContent");
    expect(text).toContain("js");
    expect(text).toContain("wasm");
    expect(await page.evaluate<number>("document.querySelectorAll('[role=alert]').length")).toBe(0);
    await page.resize(390, 844);
    await seen("document.documentElement.scrollWidth <= innerWidth", true);
  });
});

test("one table has every engine", { timeout: 240_000 }, async () => {
  const engines = engineNames.filter(hasEngine);
  const folder = await mkdtemp(join(tmpdir(), "heed-bench-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  vi.spyOn(console, "error").mockImplementation(() => {});
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  onTestFinished(() => void vi.restoreAllMocks());
  const json = join(folder, "report.json");
  const args = "--cases sweep-length-16 --backends js --samples 2".split(" ");
  const options = engines.map((name) => `--${name}`);
  expect(await main([...args, ...options, "--json", json])).toBe(0);
  const lines = log.mock.calls.flat().join("\n").split("\n");
  const head = lines.find((line) => /^│ GFLOP\/s +│ backend +│ +node/.test(line)) ?? "";
  expect(head.split("│").map((cell) => cell.trim())).toEqual([
    "",
    "GFLOP/s",
    "backend",
    "node",
    ...engines,
    "",
  ]);
  const report = parseReport(JSON.parse(await readFile(json, "utf8")));
  expect(report.environments.map((e) => e.name)).toEqual(["node", ...engines]);
  // Each tells its own version.
  for (const { name, versions } of report.environments) expect(versions).toHaveProperty(name);
  expect(report.cases[0]?.results).toMatchObject([
    { contender: "js", status: "measured" },
    ...engines.map((name) => ({ contender: `${name}/js`, status: "measured" })),
  ]);
});
