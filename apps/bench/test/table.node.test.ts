import { expect, test } from "vitest";
import { renderReport } from "../src/cli/table.js";
import { runBenchmark } from "../src/measure/run-benchmark.js";
import type { BenchReport, CaseResult } from "../src/report/report.js";
import { customWorkload } from "../src/workloads/generated.js";
import { parseShape } from "../src/workloads/shape.js";
import {
  environment,
  nonsense,
  refusing,
  right,
  throwing,
  unavailable,
  wrong,
} from "./contenders.js";
import { madeUp, withWrong } from "./reports.js";

/** A run with its measured numbers replaced by known ones. */
async function known(): Promise<BenchReport> {
  const report = await runBenchmark({
    workloads: [customWorkload(parseShape("H2,L8,D16"))],
    contenders: [unavailable, right, refusing, wrong, nonsense, throwing],
    environment,
    dtype: "float32",
    threads: 2,
    budget: 5,
    samples: 2,
  });
  const timing = {
    median: 12.345,
    p25: 12,
    p75: 1234.5,
    min: 11,
    max: 2000,
    count: 9,
    outliers: 2,
  };
  const fix = (result: CaseResult): CaseResult =>
    result.status === "measured"
      ? {
          ...result,
          timing,
          attention: { host: { ...timing, median: 12.5 } },
          errorInBudgets: 0.256,
          workspaceBytes: 1536,
          planMs: 2,
          firstCallMs: 345.6,
          peakBytes: 3 * 2 ** 20,
        }
      : result;
  return {
    ...report,
    cases: report.cases.map((c) => ({ ...c, flops: 5e8, results: c.results.map(fix) })),
  };
}

test("one line a backend, with its fate", async () => {
  const text = renderReport(await known());
  const row = (name: string) => text.split("\n").find((line) => line.includes(`│ ${name} `));
  expect(text).toContain("Abacus 9000, 2 cores, linux x64\nnode 20.19.0\nfloat32, 2 threads");
  expect(text).toMatch(/absent +unavailable: there is no such device \(buy one\)/);
  expect(
    row("right")
      ?.split("│")
      .map((cell) => cell.trim()),
  ).toEqual([
    "",
    "H2,L8,D16".replace("H2", "B1,H2"),
    "right",
    "0.26",
    "12.3",
    "12.5",
    "12.0–1235",
    "9 (2 out)",
    "40.5",
    "1.50 KiB",
    "host",
    "1",
    "attention-reference",
    "",
  ]);
  expect(row("choosy")).toContain("refuses: only bfloat16 is good enough; the moon is waning");
  expect(row("sloppy")).toMatch(/WRONG, error \d/);
  expect(row("dazed")).toContain("WRONG, error not a number");
  expect(row("fragile")).toContain("FAILED: the device went away");
});

test("details add what happens once, and memory", async () => {
  const lines = renderReport(await known(), true).split("\n");
  const cells = (part: string) =>
    lines
      .find((line) => line.includes(part))
      ?.split("│")
      .map((cell) => cell.trim());
  const head = cells("median ms") ?? [];
  const row = cells("│ right ") ?? [];
  expect(row[head.indexOf("plan ms")]).toBe("2.00");
  expect(row[head.indexOf("first ms")]).toBe("346");
  expect(row[head.indexOf("peak")]).toBe("3.00 MiB");
});

test("with a ceiling, each result is also a fraction of it", async () => {
  const report = await known();
  const arithmetic = [
    { features: "simd128", gflops: 40 },
    { features: "relaxed-simd", gflops: 81 },
  ];
  const ceiling = { threads: 2, arithmetic, readGBps: 20 };
  const text = renderReport({ ...report, environments: [{ ...environment, ceiling }] });
  expect(text).toContain("40.0 GFLOP/s (simd128), 81.0 GFLOP/s (relaxed-simd), read 20.0 GB/s");
  expect(text).toMatch(/│ +50 % │/);
});

test("what is wrong and was timed has a line of numbers with its mark", () => {
  const report = madeUp({ seed: "timed", contenders: { js: 4, wasm: 1 }, cases: 1 });
  const line = (of: BenchReport) =>
    renderReport(of)
      .split("\n")
      .find((text) => text.includes("│ wasm "))
      ?.split("│")
      .map((cell) => cell.trim());
  const right = line(report) ?? [];
  expect(line(withWrong(report, "wasm"))).toEqual(
    right.map((cell) => (cell === "0.10" ? "WRONG 7000.00" : cell)),
  );
});
