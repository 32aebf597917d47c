/** One table of several environments' speeds. */
import { expect, test } from "vitest";
import { reportToMarkdown } from "../src/report/markdown.js";
import { mergeEnvironments } from "../src/report/merge-environments.js";
import type { BenchReport } from "../src/report/report.js";
import { sideBySide } from "../src/report/side-by-side.js";
import { madeUp, withWrong } from "./reports.js";

/** The report as another environment gives it, in which everything takes this many times as long. */
function elsewhere(report: BenchReport, name: string, times: number): BenchReport {
  return {
    ...report,
    environments: report.environments.map((e) => ({ ...e, name })),
    contenders: report.contenders.map((c) => ({ ...c, environment: name })),
    cases: report.cases.map((c) => ({
      ...c,
      results: c.results.map((result) =>
        result.status === "measured"
          ? { ...result, timing: { ...result.timing, median: times * result.timing.median } }
          : result,
      ),
    })),
  };
}

const here = madeUp({ seed: "here", contenders: { js: 4, "ort-web/matmul": 1 }, cases: 2 });

test("a line for each case and contender has each environment's rate in a column", () => {
  const speeds = sideBySide(mergeEnvironments([here, elsewhere(here, "firefox", 2)]));
  expect(speeds?.unit).toBe("GFLOP/s");
  expect(speeds?.environments.map(({ name }) => name)).toEqual(["node", "firefox"]);
  const lines = speeds?.lines ?? [];
  expect(lines.map(({ id, contender }) => [id, contender])).toEqual([
    ["case-0", "js"],
    ["case-0", "ort-web/matmul"],
    ["case-1", "js"],
    ["case-1", "ort-web/matmul"],
  ]);
  for (const { cells } of lines) {
    const [node, firefox] = cells.map(Number) as [number, number];
    expect(node / firefox).toBeCloseTo(2, 1);
  }
});

test("milliseconds are shown where a case counts no operations", () => {
  const whole = { ...here, cases: here.cases.map((c) => ({ ...c, flops: 0 })) };
  const speeds = sideBySide(mergeEnvironments([whole, elsewhere(whole, "bun", 3)]));
  expect(speeds?.unit).toBe("ms");
  const [node, bun] = (speeds?.lines[0]?.cells ?? []).map(Number) as [number, number];
  expect(bun / node).toBeCloseTo(3, 1);
});

test("cells without a speed say why", () => {
  const other = elsewhere(withWrong(here, "js"), "webkit", 1);
  const fewer = { ...other, cases: other.cases.slice(0, 1) };
  const merged = mergeEnvironments([here, fewer]);
  expect(sideBySide(merged)?.lines.map(({ cells }) => cells[1])).toEqual([
    "WRONG",
    expect.stringMatching(/^\d/),
    "–",
    "–",
  ]);
  expect(reportToMarkdown(merged)).toMatch(
    /\| GFLOP\/s +\| backend +\| +node \| webkit \|\n.*\n\| case-0 +\| `js` +\| +[\d.]+ \| +WRONG \|/,
  );
});

test("one environment needs no such table", () => {
  expect(sideBySide(here)).toBe(null);
  expect(reportToMarkdown(here)).not.toMatch(/GFLOP\/s +\| backend/);
});
