import { csvParse } from "d3-dsv";
import { expect, test } from "vitest";
import { reportToCsv } from "../src/report/csv.js";
import { markdownText } from "../src/report/escape.js";
import { reportToMarkdown } from "../src/report/markdown.js";
import { mergeLaunches } from "../src/report/merge-launches.js";
import type { BenchReport, Measured } from "../src/report/report.js";
import { madeUp, withWrong } from "./reports.js";

const report = madeUp({ seed: "exported", contenders: { js: 4, wasm: 1 }, cases: 2 });

/** One of its results replaced by a refusal whose reason has everything that needs quoting. */
function withRefusal(): BenchReport {
  const [first, ...rest] = report.cases;
  if (!first) throw new Error("unreachable");
  const refused = {
    contender: "js",
    status: "refused",
    reasons: [{ code: "odd", message: 'no "odd" sizes, | or\nlines' }],
  } as const;
  return {
    ...report,
    cases: [{ ...first, results: [refused, ...first.results.slice(1)] }, ...rest],
  };
}

test("a line of CSV for each result, numbers in full", () => {
  const rows = csvParse(reportToCsv(withRefusal()));
  expect(rows.map((row) => [row.case, row.contender, row.status])).toEqual([
    ["case-0", "js", "refused"],
    ["case-0", "wasm", "measured"],
    ["case-1", "js", "measured"],
    ["case-1", "wasm", "measured"],
  ]);
  expect(rows[0]).toMatchObject({ median_ms: "", note: 'refuses: no "odd" sizes, | or\nlines' });
  const wasm = report.cases[1]?.results[1] as Measured;
  expect(Number(rows[3]?.median_ms)).toBe(wasm.timing.median);
  expect(Number(rows[3]?.times_as_fast_as_first)).toBe(wasm.ratio?.median);
});

/** Text that asks programs to do something with it, wherever a report has text of its maker's. */
const hostile =
  '=1+1|cmd`x` <script>alert(1)</script> [a](javascript:b) *c* _d_ ~~e~~ &lt; \\ "f"\n# heading';

function hostileReport(): BenchReport {
  return {
    ...report,
    environments: report.environments.map((e) => ({
      ...e,
      cpu: hostile,
      versions: { [hostile]: hostile },
      notes: [hostile],
    })),
    contenders: report.contenders.map((c) => ({ ...c, name: `${hostile}${c.name}` })),
    cases: report.cases.map((c) => ({
      ...c,
      id: hostile,
      series: { name: "@SUM(1)", axis: "length", at: 1 },
      results: c.results.map((result) => ({
        ...(result as Measured),
        contender: `-${hostile}`,
        kernel: "+2",
      })),
    })),
  };
}

test("a spreadsheet computes nothing of what a report says", () => {
  const text = reportToCsv(hostileReport());
  for (const row of csvParse(text)) {
    for (const [name, cell] of Object.entries(row)) expect(cell, name).not.toMatch(/^[=+@\-\t\r]/);
    expect(row).toMatchObject({ case: `'${hostile}`, contender: `'-${hostile}`, kernel: "'+2" });
    expect(row.series).toBe("'@SUM(1)");
  }
  // Numbers stay numbers.
  expect(Number(csvParse(text)[0]?.median_ms)).toBeGreaterThan(0);
});

test("Markdown shows what a report says, and does nothing that it asks for", () => {
  const text = reportToMarkdown(hostileReport());
  expect(text).not.toContain("<script>");
  expect(text).not.toMatch(/^\s*# heading/m);
  expect(text).not.toMatch(/(?<!\\)\]\(javascript/);
  const table = text.split("\n").filter((line) => line.startsWith("|"));
  expect(table).toHaveLength(2 + 4);
  const cells = (line: string) => line.replace(/\\./g, "").split("|").length;
  expect(new Set(table.map(cells)).size).toBe(1);
  // Plain names stay code.
  expect(reportToMarkdown(report)).toContain("| `wasm`");
});

test.each([
  ["- a list", "\\- a list"],
  ["12. a list", "12\\. a list"],
  ["## a heading", "\\## a heading"],
  ["-1.5", "-1.5"],
  ["h4-l2048-d64", "h4-l2048-d64"],
])("Markdown of %j begins nothing", (text, expected) => {
  expect(markdownText(text)).toBe(expected);
});

test("a table of Markdown with as many cells in each row", () => {
  const text = reportToMarkdown(withRefusal());
  const table = text.split("\n").filter((line) => line.startsWith("|"));
  expect(table).toHaveLength(2 + 4);
  const cells = (line: string) => line.replaceAll("\\|", "").split("|").length;
  expect(new Set(table.map(cells)).size).toBe(1);
  expect(text).toContain('refuses: no "odd" sizes, \\| or lines');
  expect(text).toContain("Abacus 9000, 2 cores");
});

test("what is wrong and was timed has its numbers, and its mark, in every table", () => {
  const spoilt = withWrong(report, "wasm");
  const [, wasm] = csvParse(reportToCsv(spoilt));
  expect(wasm).toMatchObject({ status: "wrong", error_in_budgets: "7000" });
  const first = report.cases[0]?.results[1] as Measured;
  const { timing } = first;
  expect(Number(wasm?.median_ms)).toBe(timing.median);
  expect(wasm?.note).toContain("WRONG, error 7000.00");
  const row = reportToMarkdown(spoilt)
    .split("\n")
    .find((line) => line.includes("case-0") && line.includes("`wasm`"));
  expect(row).toContain("WRONG 7000.00");
  expect(row).toContain(timing.median.toPrecision(3));
});

test("launches of what is wrong are put together, and its ratio is to what is right", () => {
  const launch = (seed: string) =>
    withWrong(madeUp({ seed, contenders: { js: 4, wasm: 1 }, cases: 1 }), "js");
  const [js, wasm] = mergeLaunches([launch("a"), launch("b")]).cases[0]?.results ?? [];
  expect(js).toMatchObject({
    status: "wrong",
    timed: { timing: { count: 2 * 9 * 7 }, ratio: { rounds: 18 } },
  });
  expect(wasm).not.toHaveProperty("ratio");
  // Right in one launch and wrong in another is wrong, with the times of both.
  const sound = madeUp({ seed: "c", contenders: { js: 4, wasm: 1 }, cases: 1 });
  const [mixed] = mergeLaunches([sound, launch("a")]).cases[0]?.results ?? [];
  expect(mixed).toMatchObject({ status: "wrong", timed: { timing: { count: 2 * 9 * 7 } } });
});

test("launches are put together; wrong in one is wrong", () => {
  const launch = (seed: string) => madeUp({ seed, contenders: { js: 4, wasm: 1 }, cases: 1 });
  const merged = mergeLaunches([launch("a"), launch("b"), launch("c")]);
  const [js, wasm] = (merged.cases[0]?.results ?? []) as Measured[];
  expect(js?.launches).toHaveLength(3);
  expect(js?.timing.count).toBe(3 * 9 * 7);
  expect(js).not.toHaveProperty("ratio");
  expect(wasm?.ratio?.rounds).toBe(27);
  expect(merged.options.budget).toBe(3000);

  const [first] = launch("d").cases;
  if (!first) throw new Error("unreachable");
  const failed = { contender: "wasm", status: "failed", message: "lost" } as const;
  const broken = {
    ...launch("d"),
    cases: [{ ...first, results: [first.results[0] as Measured, failed] }],
  };
  expect(mergeLaunches([launch("a"), broken]).cases[0]?.results[1]).toBe(failed);
});
