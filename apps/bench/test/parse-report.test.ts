import { InvalidInputError } from "@heed/core";
import { expect, test } from "vitest";
import { parseReport } from "../src/report/parse.js";
import { madeUp } from "./reports.js";

const whole = madeUp({ seed: "whole", contenders: { js: 4 }, cases: 1 });

/** The whole report's JSON with one place changed. */
function changed(path: readonly (string | number)[], value: unknown): unknown {
  const copy: unknown = structuredClone(whole);
  let holder = copy as Record<string | number, unknown>;
  for (const name of path.slice(0, -1)) holder = holder[name] as Record<string | number, unknown>;
  holder[path.at(-1) ?? ""] = value;
  return copy;
}

test("a report is itself", () => {
  expect(parseReport(JSON.parse(JSON.stringify(whole)))).toEqual(whole);
});

test("control characters do not reach a terminal", () => {
  const commands = "a\u001b]0;title\u0007b\u009b31m";
  const report = parseReport(changed(["cases", 0, "results", 0, "kernel"], commands));
  expect(report.cases[0]?.results[0]).toMatchObject({ kernel: "a\ufffd]0;title\ufffdb\ufffd31m" });
  const lines = parseReport(changed(["cases", 0, "title"], "one\n\ttwo"));
  expect(lines.cases[0]?.title).toBe("one\n\ttwo");
});

const launch = ["cases", 0, "results", 0, "launches", 0] as const;

test.each<readonly [unknown, string]>([
  [null, "report: expected Object, got null"],
  ["report", "report: expected Object"],
  [{}, "report.format: expected"],
  [
    changed(["format"], "trace"),
    'report.format: expected "heed-bench", as --json writes, got "trace"',
  ],
  [
    changed(["version"], 1),
    "report.version: expected 2, the only one that this release reads, got 1",
  ],
  [changed(["version"], undefined), "got nothing"],
  [changed(["environments"], []), "report.environments"],
  [
    changed(["cases", 0, "results", 0, "timing", "median"], "1"),
    "report.cases.0.results.0.timing.median",
  ],
  [changed(["cases", 0, "flops"], Number.POSITIVE_INFINITY), "report.cases.0.flops"],
  [changed(["cases", 0, "results", 0, "status"], "great"), "report.cases.0.results.0.status"],
  [changed([...launch, "rounds"], []), "report.cases.0.results.0.launches.0.rounds"],
  [changed([...launch, "rounds", 0], []), "report.cases.0.results.0.launches.0.rounds.0"],
  [changed([...launch, "yardstick"], [1]), "report.cases.0.results.0.launches.0.yardstick"],
])("case %#: what is malformed is named", (value, part) => {
  expect(() => parseReport(value)).toThrow(InvalidInputError);
  expect(() => parseReport(value)).toThrow(part);
});
