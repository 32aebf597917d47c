import type { ReportDocument } from "../report/document.js";
import { type HtmlOptions, htmlBody, htmlReport } from "../report/html.js";
import { markdownReport } from "../report/markdown.js";
import { titled } from "../report/titles.js";
import { formatExplanations } from "./summary.js";

/** The whole report as Markdown, with what its failures have in common. */
export function reportMarkdown(document: ReportDocument): string {
  return markdownReport(document, explanationsOf(document));
}

/** The whole report as one HTML page that needs nothing else. */
export function reportHtml(document: ReportDocument, options: HtmlOptions): string {
  return htmlReport(document, options, explanationsOf(document));
}

/** {@link reportHtml} without head, for a page that has one. */
export function reportBody(document: ReportDocument, options: HtmlOptions): string {
  return htmlBody(document, options, explanationsOf(document));
}

function explanationsOf({ reports }: ReportDocument): string[] {
  const ready = titled(reports).filter(({ unavailable }) => unavailable === null);
  return formatExplanations(ready.map(({ title, ...report }) => ({ ...report, backend: title })));
}
