import { htmlEscape } from "escape-goat";
import { markdownTable } from "markdown-table";
import { profiles } from "../run/case.js";
import type { ReportDocument } from "./document.js";
import { featureNames } from "./features.js";
import { asText, codeBlock, fromText } from "./markdown-text.js";
import type { ConformanceReport } from "./report.js";
import { type FeatureSupport, supportOf } from "./support.js";
import { formatFailure, formatSummary } from "./text.js";
import { titled } from "./titles.js";

/**
 * The table of support: features × backends, from reports and nothing else. Nothing in it depends on
 * the machine but what the machine supports: no counts, no timings, no error sizes.
 *
 * @param kept columns that stay as they are, by backend: of backends that could not run here
 */
export function supportTable(
  reports: readonly ConformanceReport[],
  kept: ReadonlyMap<string, readonly string[]> = new Map(),
): string {
  const columns = new Map(kept);
  for (const report of reports) {
    if (report.unavailable) continue;
    const support = supportOf(report);
    columns.set(
      report.backend,
      featureNames.map((feature) => {
        const found = support.get(feature) as FeatureSupport;
        return explained(words[found.status], found.reasons);
      }),
    );
  }
  const names = [...columns.keys()].sort();
  const rows = featureNames.map((feature, row) => [
    feature,
    ...names.map((name) => columns.get(name)?.[row] ?? ""),
  ]);
  // Reasons are too long to be padded.
  return markdownTable([["", ...names.map(asText)], ...rows], { alignDelimiters: false });
}

/** A word that tells the reasons to whoever points at it. */
function explained(word: string, reasons: readonly string[]): string {
  if (reasons.length === 0) return word;
  const title = htmlEscape(reasons.join("; ")).replaceAll(/\s+/g, " ").replaceAll("|", "&#124;");
  return `<abbr title="${title}">${word}</abbr>`;
}

const words: Readonly<Record<FeatureSupport["status"], string>> = {
  pass: "✓",
  partly: "partly",
  refused: "–",
  fail: "**fails**",
  none: "",
};

/** The columns of a table that {@link supportTable} made, by backend. */
export function readSupportTable(table: string): Map<string, string[]> {
  const rows = table
    .trim()
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const [head = [], , ...body] = rows;
  const complete = body.map(([feature]) => feature).join() === featureNames.join();
  if (!complete) return new Map();
  return new Map(
    head.slice(1).map((name, i) => [fromText(name), body.map((row) => row[i + 1] ?? "")]),
  );
}

/**
 * The whole report as Markdown.
 *
 * @param explanations what failures of several cases come down to, a text for each backend
 */
export function markdownReport(
  { reports: given, created }: ReportDocument,
  explanations: readonly string[],
): string {
  const reports = titled(given).map(({ title, ...report }) => ({ ...report, backend: title }));
  const ready = reports.filter(({ unavailable }) => unavailable === null);
  const failing = reports.flatMap((report) =>
    report.results
      .filter(({ outcome }) => outcome === "fail" || outcome === "known-failure")
      .map((result) => `### ${asText(report.backend)}\n\n${codeBlock(formatFailure(result))}`),
  );
  return `${[
    "# Conformance",
    asText(created.slice(0, 10)),
    reports.map((report) => `- ${asText(formatSummary(report) + describeRun(report))}`).join("\n"),
    "## Support",
    supportTable(reports),
    "## Profiles",
    "Passed of all, and claimed where the backend says that it passes all.",
    markdownTable([
      ["", ...ready.map(({ backend }) => asText(backend))],
      ...[...profiles, "vectors"].map((profile) => [
        profile,
        ...ready.map((report) => profileCell(report, profile)),
      ]),
    ]),
    ...(failing.length > 0 ? ["## Failures", ...explanations.map(codeBlock), ...failing] : []),
  ].join("\n\n")}\n`;
}

function describeRun({ info, environment }: ConformanceReport): string {
  if (info === null) return ` (${environment})`;
  const { runtime, device, features, threads } = info;
  const parts = [runtime, device, ...features, `${threads} thread${threads === 1 ? "" : "s"}`];
  return ` (${parts.join(", ")}; ${environment})`;
}

export function profileCell(report: ConformanceReport, profile: string): string {
  const results = report.results.filter((result) => result.profile === profile);
  const passed = results.filter(({ outcome }) => outcome === "pass").length;
  const claimed = report.claims.includes(profile) ? ", claimed" : "";
  return results.length === 0 ? "" : `${passed} of ${results.length}${claimed}`;
}
