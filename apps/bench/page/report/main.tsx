import { render } from "preact";
import { parseReport } from "../../src/report/parse.js";
import type { BenchReport } from "../../src/report/report.js";
import { ReportView } from "../components/report-view.js";
import "../styles.css";

/** The report, and an earlier one if it was compared, as the command line left them in the file. */
const [report, earlier] = (
  JSON.parse(document.getElementById("reports")?.textContent ?? "[]") as unknown[]
).map(parseReport) as [BenchReport, BenchReport?];

render(
  <>
    <header class="top">
      <h1>Heed benchmark</h1>
      <p>Which backend of attention, on this machine, for which model?</p>
    </header>
    <main>
      <ReportView
        report={report}
        origin="the command line, which wrote this file"
        earlier={earlier ?? null}
      />
    </main>
  </>,
  document.getElementById("app") as HTMLElement,
);
