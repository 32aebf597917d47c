import { InvalidInputError } from "@heed/core";
import { describe, expect, test } from "vitest";
import { mostCharacters } from "../../src/device-report/bounds.js";
import {
  deviceReportToJson,
  makeDeviceReport,
  parseDeviceReport,
} from "../../src/device-report/index.js";
import { small } from "./reports.js";

test("a report survives being written and read", () => {
  expect(parseDeviceReport(deviceReportToJson(small))).toEqual(small);
});

test("control characters and changes of the direction of writing are shown", () => {
  const device = "Abacus\u001b[2J \u202e0009";
  expect(parseDeviceReport(JSON.stringify({ ...small, device })).device).toBe(
    "Abacus\ufffd[2J \ufffd0009",
  );
});

test("members that are not known are dropped, but for those of tuning", () => {
  const text = JSON.stringify({ ...small, more: "<script>" }).replace(
    '"engine"',
    '"__proto__":{"polluted":1},"engine"',
  );
  const read = parseDeviceReport(text);
  expect(read).toEqual(small);
  expect((read.environment as { polluted?: number }).polluted).toBeUndefined();
});

const withEnvironment = (change: object) => ({
  ...small,
  environment: { ...small.environment, ...change },
});
const withCase = (change: object) => ({
  ...small,
  benchmark: { ...small.benchmark, cases: [{ ...small.benchmark?.cases[0], ...change }] },
});

describe("a hostile file gets a message that names what is wrong", () => {
  test.each([
    ["no JSON", "{", /^mine: expected JSON, got /],
    ["no object", "null", /^mine: expected Object, got null/],
    ["a list", "[]", 'mine.format: expected "heed-device", got nothing'],
    ["another format", '{"format":"heed-bench"}', 'mine.format: expected "heed-device"'],
    ["another version", JSON.stringify({ ...small, version: 2 }), "mine.version: expected 1"],
    ["no date", JSON.stringify({ ...small, created: "yesterday" }), "mine.created: expected"],
    ["a long name", JSON.stringify({ ...small, device: "x".repeat(81) }), "mine.device: expected"],
    ["a long text", JSON.stringify(withEnvironment({ platform: "x".repeat(301) })), "platform"],
    ["an engine of markup", JSON.stringify(withEnvironment({ engine: "<b>" })), "engine"],
    [
      "infinity",
      JSON.stringify(withCase({ flops: 0 })).replace('"flops":0', '"flops":1e999'),
      "flops",
    ],
    ["half a core", JSON.stringify(withEnvironment({ cores: 0.5 })), "environment.cores"],
    [
      "many members",
      JSON.stringify(withEnvironment({ notes: Array(41).fill("note") })),
      "environment.notes: expected <=40",
    ],
    [
      "many versions",
      JSON.stringify(
        withEnvironment({ versions: Object.fromEntries(Array(41).fill("1").entries()) }),
      ),
      "environment.versions: ",
    ],
    ["an unknown status", JSON.stringify(withCase({ results: [{ status: "best" }] })), "results.0"],
    ["tuning without a version", JSON.stringify({ ...small, tuning: { format: "x" } }), "tuning"],
    ["a large file", " ".repeat(mostCharacters + 1), "mine: expected at most 100000 characters"],
  ])("%s", (_, text, message) => {
    expect(() => parseDeviceReport(text, "mine")).toThrow(InvalidInputError);
    expect(() => parseDeviceReport(text, "mine")).toThrow(message);
  });
});

describe("making", () => {
  const { environment, benchmark, conformance } = small;

  test("checks what it makes, and cuts the name", () => {
    const made = makeDeviceReport({ environment, benchmark, device: ` ${"x".repeat(90)} ` });
    expect(made.device).toBe(`${"x".repeat(79)}…`);
    expect(made).not.toHaveProperty("conformance");
    expect(makeDeviceReport({ environment, conformance, device: " " }).device).toBeNull();
  });

  test("of nothing is an error", () => {
    expect(() => makeDeviceReport({ environment })).toThrow(
      "parts: expected results of the suite or of the benchmark, got neither",
    );
  });

  test("of more than a file may hold is an error", () => {
    const notes = Array(40).fill("x".repeat(300));
    const backends = Array.from({ length: 9 }, () => ({
      ...{ backend: "js", unavailable: null, profiles: {}, failures: [], failuresLeftOut: 0 },
      info: { runtime: "", device: "", features: [], threads: 1, notes },
      refusals: [],
    }));
    expect(() => makeDeviceReport({ environment, conformance: backends })).toThrow(
      "parts: expected at most 100000 characters of JSON",
    );
  });
});
