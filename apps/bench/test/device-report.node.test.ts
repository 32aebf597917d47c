import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CaseResult, documentToJson, makeDocument } from "@heed/conformance";
import { parseDeviceReport } from "@heed/conformance/device-report";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { main } from "../src/cli/device-report.js";
import { devicePart } from "../src/report/device-part.js";
import { mergeEnvironments } from "../src/report/merge-environments.js";
import type { BenchReport } from "../src/report/report.js";
import { madeUp, withWrong } from "./reports.js";

let folder: string;
let said: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "heed-device-report-"));
  said = [];
  const listen = (text: unknown) => void said.push(String(text));
  vi.spyOn(console, "log").mockImplementation(listen);
  vi.spyOn(console, "error").mockImplementation(listen);
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

async function given(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

/** Results of the benchmark in an engine of this version. */
function inEngine(name: string, version: string): BenchReport {
  const report = madeUp({ seed: name, contenders: { js: 4, wasm: 1 }, cases: 2 });
  const [environment] = report.environments;
  return {
    ...report,
    environments: [{ ...environment, name, versions: { [name]: version } }] as never,
    contenders: report.contenders.map((c) => ({ ...c, environment: name })),
  };
}

function suiteIn(environment: string): string {
  const one: CaseResult = {
    ...{ id: "core/a", profile: "core", outcome: "pass", features: [], budgets: 0.1, nmse: 0 },
    ...{ worst: null, failures: [], reasons: [], milliseconds: 1 },
  };
  const report = {
    ...{ backend: "js", unavailable: null, info: null, environment, claims: [] },
    counts: { pass: 1, fail: 0, "known-failure": 0, unsupported: 0 },
    results: [one],
  };
  return documentToJson(makeDocument([report], new Date("2027-01-01")));
}

test("one file holds what the suite and the benchmark found in an engine", async () => {
  const merged = mergeEnvironments([inEngine("node", "20.19.0"), inEngine("deno", "2.9.0")]);
  const bench = await given("bench.json", JSON.stringify(merged));
  const suite = await given("suite.json", suiteIn("Deno 2.9.0 linux x64"));
  const out = join(folder, "out.json");
  const args = ["--conformance", suite, "--bench", bench, "--environment", "deno", "--out", out];
  expect(await main([...args, "--device", "Abacus", "--note", "A mouse ran over it"])).toBe(0);
  const report = parseDeviceReport(await readFile(out, "utf8"));
  expect(report).toMatchObject({
    device: "Abacus",
    created: "2027-01-01T00:00:00.000Z",
    environment: {
      ...{ engine: "deno", versions: { deno: "2.9.0" }, cores: 2 },
      notes: ["A mouse ran over it"],
    },
    conformance: [{ backend: "js", profiles: { core: { pass: 1, fail: 0 } } }],
  });
  // Names are those that the engine's own report has, and there are no samples.
  expect(report.benchmark?.contenders.map(({ name }) => name)).toEqual(["js", "wasm"]);
  const [result] = report.benchmark?.cases[0]?.results ?? [];
  const [full] = inEngine("deno", "2.9.0").cases[0]?.results ?? [];
  if (full?.status !== "measured") throw new Error("unreachable");
  expect(result).toEqual({
    ...{ contender: "js", status: "measured", count: full.timing.count },
    median: Number(full.timing.median.toPrecision(4)),
    p25: Number(full.timing.p25.toPrecision(4)),
    p75: Number(full.timing.p75.toPrecision(4)),
  });
  expect(await main(["--check", out])).toBe(0);
  expect(said.at(-1)).toBe(`${out}: Deno 2.9.0 on Abacus`);
});

test("results of different places do not become one report", async () => {
  const merged = mergeEnvironments([inEngine("node", "20.19.0"), inEngine("deno", "2.9.0")]);
  const bench = await given("bench.json", JSON.stringify(merged));
  const older = await given("older.json", suiteIn("Deno 2.8.0 linux x64"));
  const browser = await given("browser.json", suiteIn("Mozilla/5.0 Firefox/153.0"));
  const broken = await given("broken.json", "{");
  const both = ["--bench", bench, "--environment"];
  const wrong: [args: string[], message: string][] = [
    [["--bench", bench], "environment: expected one of node, deno, got none"],
    [[...both, "bun"], "environment: expected one of node, deno, got bun"],
    [[...both, "deno", "--conformance", older], "--conformance: expected results of deno 2.9.0"],
    [[...both, "node", "--conformance", older], "--conformance: expected results of node 20.19.0"],
    [[...both, "node", "--conformance", browser], "--conformance: expected results of node, got"],
    [["--conformance", browser], "or --bench beside them"],
    [["--bench", broken], `--bench ${broken}: expected results of the benchmark`],
    [["--conformance", join(folder, "none")], "--conformance: expected a file that can be read"],
    [[], "files: expected --conformance or --bench, got neither"],
  ];
  for (const [args, message] of wrong) {
    expect(await main(args)).toBe(2);
    expect(said.at(-1)).toContain(message);
  }
});

test("a file that is no device report is told from one that is", async () => {
  const bench = await given("bench.json", JSON.stringify(inEngine("node", "20.19.0")));
  expect(await main(["--check", bench])).toBe(1);
  expect(said.at(-1)).toContain('bench.json.format: expected "heed-device", got "heed-bench"');
});

test("a report has the table of a backend that measured its choices, and no other", () => {
  const table = { format: "heed-webgpu-tuning", version: 1, choices: { a: { gain: 2 } } };
  const withTable = (tuning: object): BenchReport => {
    const report = inEngine("deno", "2.9.0");
    const contenders = report.contenders.map((one) =>
      one.name === "wasm" && one.info ? { ...one, info: { ...one.info, tuning } } : one,
    );
    return { ...report, contenders };
  };
  expect(devicePart(withTable(table)).tuning).toEqual(table);
  expect(devicePart(withTable({ version: 1 }))).not.toHaveProperty("tuning");
  expect(devicePart(inEngine("deno", "2.9.0"))).not.toHaveProperty("tuning");
});

test("a report keeps what was wrong in words, and as many cases as fit", () => {
  const wrong = devicePart(withWrong(inEngine("bun", "1.4.0"), "wasm"));
  expect(wrong.benchmark.cases[0]?.results[1]).toEqual({
    ...{ contender: "wasm", status: "wrong" },
    message: "WRONG, error 7000.00: off",
  });
  const contenders = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`backend-${i}`, 1]));
  const { benchmark } = devicePart(madeUp({ seed: "many", contenders, cases: 60 }));
  expect(benchmark.cases.length).toBeGreaterThan(10);
  expect(benchmark.cases.length + benchmark.casesLeftOut).toBe(60);
  expect(JSON.stringify(benchmark).length).toBeLessThan(40_000);
});
