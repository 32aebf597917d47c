import { htmlEscape } from "escape-goat";
import { profiles } from "../run/case.js";
import type { ReportDocument } from "./document.js";
import { featureNames } from "./features.js";
import { profileCell } from "./markdown.js";
import { budgetsPlot } from "./plot.js";
import type { CaseResult, Outcome } from "./report.js";
import { style } from "./style.js";
import { type FeatureSupport, supportOf } from "./support.js";
import { formatBudgets, formatFailure, formatSummary } from "./text.js";
import { titled } from "./titles.js";

export interface HtmlOptions {
  /** The address of the suite's own page, which runs a case again: deep links lead there. */
  readonly page: string;
}

/**
 * The whole report as one HTML page that needs nothing else.
 *
 * @param explanations what failures of several cases come down to, a text for each backend
 */
export function htmlReport(
  document: ReportDocument,
  options: HtmlOptions,
  explanations: readonly string[],
): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Heed conformance</title>
<style>${style}</style>
${htmlBody(document, options, explanations)}
</html>
`;
}

/** {@link htmlReport} without head, for a page that has one. */
export function htmlBody(
  document: ReportDocument,
  options: HtmlOptions,
  explanations: readonly string[],
): string {
  const reports = titled(document.reports);
  const ready = reports.filter(({ unavailable }) => unavailable === null);
  const created = document.created.slice(0, 16).replace("T", " ");
  return `<main>
<h1>Conformance</h1>
<p>${htmlEscape(created)} UTC</p>
<section><h2>Backends</h2>${reports.map(backendCard).join("")}</section>
<section><h2>Support</h2><p>✓ all cases pass, ◐ some are refused, – all are, ✗ some fail. Press a sign for how many, and why.</p>${supportMatrix(ready)}</section>
<section><h2>Profiles</h2><p>Cases that pass, of all.</p>${profileMatrix(ready)}</section>
<section><h2>Errors</h2><p>Each case's largest error over what is allowed: right of the line it fails.</p>
<div class="plots">${ready.map((report) => `<figure><figcaption>${htmlEscape(report.title)}</figcaption>${budgetsPlot(report)}</figure>`).join("")}</div></section>
${failures(ready, explanations)}
<section><h2>Cases</h2><p>Each with its largest error over what is allowed, which leads to the page that runs the case again.</p>
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

type Titled = ReturnType<typeof titled>[number];

function backendCard(report: Titled): string {
  const { info, environment } = report;
  const facts = info
    ? [
        info.runtime,
        info.device,
        ...info.features,
        `${info.threads} thread${info.threads === 1 ? "" : "s"}`,
        environment,
      ]
    : [environment];
  const notes = (info?.notes ?? []).map((note) => `<li>${htmlEscape(note)}</li>`);
  const kind = report.unavailable ? "unavailable" : report.counts.fail > 0 ? "bad" : "good";
  const summary = formatSummary({ ...report, backend: report.title });
  return `<article class="${kind}"><h3>${htmlEscape(summary)}</h3><p>${htmlEscape(facts.join(" · "))}</p>${notes.length > 0 ? `<ul>${notes.join("")}</ul>` : ""}</article>`;
}

const signs: Readonly<Record<FeatureSupport["status"], string>> = {
  pass: "✓",
  partly: "◐",
  refused: "–",
  fail: "✗",
  none: "",
};

function supportMatrix(reports: readonly Titled[]): string {
  const supports = reports.map(supportOf);
  const rows = featureNames.map((feature, row) => {
    const cells = supports.map((support, column) => {
      const { status, passed, failed, reasons } = support.get(feature) as FeatureSupport;
      if (status === "none") return "<td></td>";
      const { title } = reports[column] as Titled;
      const told = [`${title}, ${feature}: ${passed} pass, ${failed} fail`, ...reasons].join("\n");
      return `<td class="${status}">${explained(`s${row}-${column}`, signs[status], told)}</td>`;
    });
    return `<tr><th scope="row">${htmlEscape(feature)}</th>${cells.join("")}</tr>`;
  });
  return table(reports, rows, "support");
}

/**
 * A sign that tells more to whoever points at it, presses it, or comes to it with the keyboard.
 *
 * @param id of the text, which no other has
 * @param more HTML that follows the text
 */
function explained(id: string, sign: string, text: string, more: string = ""): string {
  return `<button type="button" popovertarget="${id}" title="${htmlEscape(text)}">${sign}</button><div popover id="${id}"><pre>${htmlEscape(text)}</pre>${more}</div>`;
}

function profileMatrix(reports: readonly Titled[]): string {
  const rows = [...profiles, "vectors"].map(
    (profile) =>
      `<tr><th scope="row">${profile}</th>${reports.map((report) => `<td>${htmlEscape(profileCell(report, profile))}</td>`).join("")}</tr>`,
  );
  return table(reports, rows, "profiles");
}

function failures(reports: readonly Titled[], explanations: readonly string[]): string {
  const list = reports.flatMap(({ title, results }) =>
    results
      .filter(({ outcome }) => outcome === "fail" || outcome === "known-failure")
      .map(
        (result) =>
          `<details><summary>${htmlEscape(`${title}: ${result.id}`)}</summary><pre>${htmlEscape(formatFailure(result))}</pre></details>`,
      ),
  );
  const why = explanations.map((text) => `<pre>${htmlEscape(text)}</pre>`);
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

function caseMatrix(reports: readonly Titled[], { page }: HtmlOptions): string {
  const byId = new Map<string, (CaseResult | undefined)[]>();
  for (const [column, { results }] of reports.entries()) {
    for (const result of results) {
      const row = byId.get(result.id) ?? [];
      row[column] = result;
      byId.set(result.id, row);
    }
  }
  const rows = [...byId].map(([id, results], row) => {
    const cells = reports.map(({ backend }, column) => {
      const result = results[column];
      if (result === undefined) return "<td></td>";
      const { outcome, budgets } = result;
      const address = htmlEscape(`${page}?${new URLSearchParams({ backend, case: id })}`);
      const sign = `${outcomeSigns[outcome]}${budgets === null ? "" : ` ${formatBudgets(budgets)}`}`;
      const cell =
        outcome === "pass"
          ? `<a href="${address}">${sign}</a>`
          : explained(
              `c${row}-${column}`,
              sign,
              `${backend} ${formatFailure(result)}`,
              `<p><a class="button" href="${address}">Run it again</a></p>`,
            );
      return `<td class="${outcome}">${cell}</td>`;
    });
    return `<tr data-id="${htmlEscape(id)}"><th scope="row">${htmlEscape(id)}</th>${cells.join("")}</tr>`;
  });
  return table(reports, rows, "cases");
}

function table(reports: readonly Titled[], rows: readonly string[], id: string): string {
  const cells = reports.map(({ title }) => `<th scope="col">${htmlEscape(title)}</th>`).join("");
  return `<div class="scroll"><table id="${id}"><thead><tr><td></td>${cells}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
}
