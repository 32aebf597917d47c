import { htmlEscape } from "escape-goat";
import { profiles } from "../case.js";
import { formatExplanations } from "../explain/summary.js";
import type { ReportDocument } from "./document.js";
import { featureNames } from "./features.js";
import { profileCell } from "./markdown.js";
import { budgetsPlot } from "./plot.js";
import type { CaseResult, ConformanceReport, Outcome } from "./report.js";
import { style } from "./style.js";
import { type FeatureSupport, supportOf } from "./support.js";
import { formatBudgets, formatFailure, formatSummary } from "./text.js";

export interface HtmlOptions {
  /** The address of the suite's own page, which runs a case again: deep links lead there. */
  readonly page: string;
}

/** The whole report as one HTML page that needs nothing else. */
export function reportHtml(document: ReportDocument, options: HtmlOptions): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Heed conformance</title>
<style>${style}</style>
${reportBody(document, options)}
</html>
`;
}

/** {@link reportHtml} without head, for a page that has one. */
export function reportBody({ reports, created }: ReportDocument, options: HtmlOptions): string {
  const ready = reports.filter(({ unavailable }) => unavailable === null);
  return `<main>
<h1>Conformance</h1>
<p>${htmlEscape(created.slice(0, 16).replace("T", " "))} UTC</p>
<section><h2>Backends</h2>${reports.map(backendCard).join("")}</section>
<section><h2>Support</h2>${supportMatrix(ready)}</section>
<section><h2>Profiles</h2>${profileMatrix(ready)}</section>
<section><h2>Errors</h2><p>Each case's largest error over what is allowed: right of the line it fails.</p>
<div class="plots">${ready.map((report) => `<figure><figcaption>${htmlEscape(report.backend)}</figcaption>${budgetsPlot(report)}</figure>`).join("")}</div></section>
${failures(ready)}
<section><h2>Cases</h2><p>A name leads to the page that runs the case again.</p>
<input type="search" id="filter" placeholder="filter by name" aria-label="filter by name">
${caseMatrix(ready, options)}</section>
</main>
<script>
document.getElementById("filter").addEventListener("input", (event) => {
  const wanted = event.target.value;
  for (const row of document.querySelectorAll("#cases tbody tr")) {
    row.hidden = !row.dataset.id.includes(wanted);
  }
});
</script>`;
}

function backendCard(report: ConformanceReport): string {
  const { info, environment } = report;
  const facts = info
    ? [info.runtime, info.device, ...info.features, `${info.threads} threads`, environment]
    : [environment];
  const notes = (info?.notes ?? []).map((note) => `<li>${htmlEscape(note)}</li>`);
  return `<article class="${report.unavailable ? "unavailable" : report.counts.fail > 0 ? "bad" : "good"}"><h3>${htmlEscape(formatSummary(report))}</h3><p>${htmlEscape(facts.join(" · "))}</p>${notes.length > 0 ? `<ul>${notes.join("")}</ul>` : ""}</article>`;
}

const signs: Readonly<Record<FeatureSupport["status"], string>> = {
  pass: "✓",
  partly: "◐",
  refused: "–",
  fail: "✗",
  none: "",
};

function supportMatrix(reports: readonly ConformanceReport[]): string {
  const supports = reports.map(supportOf);
  const rows = featureNames.map((feature) => {
    const cells = supports.map((support) => {
      const { status, passed, failed, reasons } = support.get(feature) as FeatureSupport;
      const told = [`${passed} pass, ${failed} fail`, ...reasons].join("\n");
      return `<td class="${status}" title="${htmlEscape(told)}">${signs[status]}</td>`;
    });
    return `<tr><th scope="row">${htmlEscape(feature)}</th>${cells.join("")}</tr>`;
  });
  return table(["", ...reports.map(({ backend }) => backend)], rows);
}

function profileMatrix(reports: readonly ConformanceReport[]): string {
  const rows = [...profiles, "vectors"].map(
    (profile) =>
      `<tr><th scope="row">${profile}</th>${reports.map((report) => `<td>${htmlEscape(profileCell(report, profile))}</td>`).join("")}</tr>`,
  );
  return table(["", ...reports.map(({ backend }) => backend)], rows);
}

function failures(reports: readonly ConformanceReport[]): string {
  const list = reports.flatMap((report) =>
    report.results
      .filter(({ outcome }) => outcome === "fail" || outcome === "known-failure")
      .map(
        (result) =>
          `<details><summary>${htmlEscape(`${report.backend}: ${result.id}`)}</summary><pre>${htmlEscape(formatFailure(result))}</pre></details>`,
      ),
  );
  const why = formatExplanations(reports).map((text) => `<pre>${htmlEscape(text)}</pre>`);
  return list.length > 0
    ? `<section><h2>Failures</h2>${why.join("")}${list.join("")}</section>`
    : "";
}

const outcomeSigns: Readonly<Record<Outcome, string>> = {
  pass: "✓",
  fail: "✗",
  "known-failure": "✗ known",
  unsupported: "–",
};

function caseMatrix(reports: readonly ConformanceReport[], { page }: HtmlOptions): string {
  const byId = new Map<string, Map<string, CaseResult>>();
  for (const { backend, results } of reports) {
    for (const result of results) {
      const row = byId.get(result.id) ?? new Map<string, CaseResult>();
      byId.set(result.id, row.set(backend, result));
    }
  }
  const rows = [...byId].map(([id, row]) => {
    const cells = reports.map(({ backend }) => {
      const result = row.get(backend);
      if (result === undefined) return "<td></td>";
      const link = `${page}?${new URLSearchParams({ backend, case: id })}`;
      const size = result.budgets === null ? "" : ` ${formatBudgets(result.budgets)}`;
      return `<td class="${result.outcome}" title="${htmlEscape(formatFailure(result))}"><a href="${htmlEscape(link)}">${outcomeSigns[result.outcome]}${size}</a></td>`;
    });
    return `<tr data-id="${htmlEscape(id)}"><th scope="row">${htmlEscape(id)}</th>${cells.join("")}</tr>`;
  });
  return table(["", ...reports.map(({ backend }) => backend)], rows, "cases");
}

function table(head: readonly string[], rows: readonly string[], id = ""): string {
  const cells = head.map((cell) => `<th scope="col">${htmlEscape(cell)}</th>`).join("");
  return `<table${id ? ` id="${id}"` : ""}><thead><tr>${cells}</tr></thead><tbody>${rows.join("\n")}</tbody></table>`;
}
