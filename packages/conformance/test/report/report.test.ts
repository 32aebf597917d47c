import {
  type CaseResult,
  type ConformanceReport,
  documentToJson,
  formatSummary,
  makeDocument,
  parseDocument,
  reportHtml,
  reportMarkdown,
  supportOf,
  supportTable,
} from "@heed/conformance";
import { describe, expect, test } from "vitest";
import { readSupportTable } from "../../src/report/markdown.js";

const reason = { code: "dtype", message: "float64 is not supported | the kernels are float32" };

function result(id: string, change: Partial<CaseResult> = {}): CaseResult {
  return {
    id,
    profile: "core",
    outcome: "pass",
    features: ["float32"],
    budgets: 0.2,
    nmse: 1e-15,
    worst: null,
    failures: [],
    reasons: [],
    milliseconds: 1,
    ...change,
  };
}

function report(
  backend: string,
  results: readonly CaseResult[],
  change: Partial<ConformanceReport> = {},
): ConformanceReport {
  const count = (outcome: string) => results.filter((r) => r.outcome === outcome).length;
  return {
    backend,
    unavailable: null,
    info: { runtime: "JavaScript", device: "CPU", features: [], threads: 1 },
    environment: "a test",
    claims: [],
    counts: {
      pass: count("pass"),
      fail: count("fail"),
      "known-failure": count("known-failure"),
      unsupported: count("unsupported"),
    },
    results,
    ...change,
  };
}

const failing = result("core/<b>", {
  outcome: "fail",
  features: ["float32", "causal"],
  budgets: Number.POSITIVE_INFINITY,
  nmse: Number.NaN,
  worst: {
    output: "output",
    index: [0, 1, 2, 3],
    expected: Number.NEGATIVE_INFINITY,
    got: Number.NaN,
    budgets: Number.POSITIVE_INFINITY,
  },
  failures: ["output has NaN, first at flat index 7"],
});
const refusal = result("core/b", {
  outcome: "unsupported",
  features: ["float64", "mask"],
  budgets: null,
  reasons: [reason],
});
const reports = [
  report("one", [result("core/a"), failing, refusal, result("core/c", { features: ["mask"] })]),
  report("two", [result("core/a", { features: ["float32", "causal"] })], { claims: ["core"] }),
  report("gone", [], { unavailable: { reason: "no GPU", hint: "buy one" }, info: null }),
];

describe("the document", () => {
  test("comes back from JSON as it was, with the numbers that JSON lacks", () => {
    const document = makeDocument(reports, new Date(0));
    expect(parseDocument(documentToJson(document))).toEqual(document);
  });

  test.each([
    ["no JSON", "JSON"],
    ["{}", "format"],
    ['{"format":"heed-conformance","version":2,"created":"","reports":[]}', "version"],
    ['{"format":"heed-conformance","version":1,"created":"","reports":[{}]}', "reports.0.backend"],
  ])("of %s is refused, by name", (json, name) => {
    expect(() => parseDocument(json, "mail.json")).toThrow(name);
  });
});

describe("support", () => {
  const support = supportOf(reports[0] as ConformanceReport);

  test("is refused, failing, or passing, feature by feature", () => {
    expect(support.get("float64")).toMatchObject({ status: "refused", reasons: [reason.message] });
    expect(support.get("causal")).toMatchObject({ status: "fail", failed: 1 });
    expect(support.get("sinks")?.status).toBe("none");
  });

  test("does not blame a mask for the float64 that it came with", () => {
    expect(support.get("mask")).toMatchObject({ status: "pass", passed: 1, reasons: [] });
  });

  test("is partly, where a feature itself is refused now and then", () => {
    const again = result("core/d", { ...refusal, features: ["mask"] });
    const partly = supportOf(report("three", [result("core/a", { features: ["mask"] }), again]));
    expect(partly.get("mask")).toMatchObject({ status: "partly", reasons: [reason.message] });
  });
});

describe("the table of support", () => {
  const table = supportTable(reports);

  test("has a column for each backend that ran, and no counts", () => {
    expect(table).toContain("| two");
    expect(table).not.toContain("gone");
    expect(table.replaceAll(/float\d\d|int8|title="[^"]*"|ALiBi/g, "")).not.toMatch(/\d/);
  });

  test("is read again, reasons with bars in them too, and keeps what did not run", () => {
    const columns = readSupportTable(table);
    expect([...columns.keys()]).toEqual(["one", "two"]);
    const again = supportTable([reports[0] as ConformanceReport], columns);
    expect(again).toBe(table);
  });
});

describe("reports to read", () => {
  const document = makeDocument(reports, new Date(0));

  test("in Markdown say what failed and what was not there", () => {
    const markdown = reportMarkdown(document);
    expect(markdown).toContain("gone: unavailable: no GPU (buy one)");
    expect(markdown).toContain("output has NaN, first at flat index 7");
    expect(markdown).toContain("1 of 1, claimed");
    expect(formatSummary(reports[0] as ConformanceReport)).toBe(
      "one: 2 pass, 1 fail, 1 unsupported",
    );
  });

  test("in HTML are one file, escaped, with links that run a case again", () => {
    const html = reportHtml(document, { page: "https://example.org/suite/" });
    expect(html).not.toContain("<b>");
    expect(html).not.toMatch(/<link|<script src|<img|@import|url\(/);
    expect(html).toContain("https://example.org/suite/?backend=one&amp;case=core%2F%3Cb%3E");
    expect(html).toContain("<svg");
    expect(html).toContain(reason.message);
  });
});

describe("a report that a stranger wrote", () => {
  const evil = "<script>alert(1)</script>\n\n# heading | [link](javascript:1) `x` *y*";
  const fences = "`".repeat(3);
  const hostile = report(evil, [
    result("core/a"),
    result(`core/${evil}`, {
      outcome: "fail",
      features: ["causal"],
      failures: [`${fences}\n# out of the fence\n${"`".repeat(5)}`],
    }),
    result("core/c", {
      outcome: "unsupported",
      features: ["mask"],
      reasons: [{ code: "no", message: `|\n\n<!-- end of the support table -->\n${evil}` }],
    }),
  ]);
  const document = { ...makeDocument([hostile]), created: `2026-01-01${evil}` };

  test("stays text in Markdown: no tag, heading, link or row of a table is its own", () => {
    const outside: string[] = [];
    let fence = "";
    for (const line of reportMarkdown(document).split("\n")) {
      const [run] = /^`{3,}/.exec(line) ?? [];
      if (run !== undefined && (fence === "" || run.length >= fence.length)) {
        fence = fence === "" ? run : "";
      } else if (fence === "") outside.push(line);
    }
    expect(fence).toBe("");
    // The suite's own markup; what stands in a title cannot end it.
    const given = outside
      .join("\n")
      .replaceAll(/<abbr title="[^"<>\n]*">|<\/abbr>|\*\*fails\*\*/g, "");
    expect(given).not.toMatch(/<|\]\(|[`*]/);
    const headings = outside.filter((line) => line.startsWith("#"));
    expect(headings.filter((line) => /^#{1,2} /.test(line))).toEqual([
      "# Conformance",
      "## Support",
      "## Profiles",
      "## Failures",
    ]);
  });

  test("keeps the table of support a table, whose columns are read again", () => {
    const table = supportTable([hostile]);
    expect(table.split("\n").every((line) => /^\|.*\|$/.test(line))).toBe(true);
    expect(table).not.toContain("<!--");
    const columns = readSupportTable(table);
    expect([...columns.keys()]).toEqual([evil.replaceAll(/\s+/g, " ")]);
    expect(supportTable([], columns)).toBe(table);
  });
});
