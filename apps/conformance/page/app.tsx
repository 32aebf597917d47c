import { documentToJson, formatFailure, makeDocument } from "@heed/conformance";
import { Progress, ReportInAddress, ShareReport } from "@heed/page";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { CaseView } from "./components/case-view.js";
import { CaseMatrix } from "./components/cases.js";
import { Setup } from "./components/setup.js";
import { Summaries } from "./components/summaries.js";
import { SupportMatrix } from "./components/support.js";
import type { SuiteRun } from "./suite-run.js";

/** The whole page. */
export function App({ suite }: { suite: SuiteRun }): JSX.Element {
  const progress = suite.progress.value;
  const reports = suite.reports.value;
  const done = progress === null && reports.length > 0;
  const ready = reports.filter(({ unavailable }) => unavailable === null);
  return (
    <>
      <header class="top">
        <h1>
          <img src="./icon.svg" alt="" width="28" height="28" /> Heed conformance
        </h1>
        <p>Does attention compute the right numbers on this device?</p>
      </header>
      <main>
        <section class="panel" aria-labelledby="setup">
          <div class="panel-head">
            <h2 id="setup">What to check</h2>
            <button
              type="button"
              class="run"
              disabled={progress !== null}
              onClick={() => void suite.run()}
            >
              Run
            </button>
          </div>
          {progress && (
            <Progress share={progress.done / progress.total} status="" detail={progress.now} />
          )}
          <p id="status" role="status">
            {suite.status.value}
          </p>
          <fieldset class="plain" disabled={progress !== null}>
            <Setup suite={suite} />
          </fieldset>
        </section>
        {done && <Download suite={suite} />}
        <ShareReport />
        <ReportInAddress />
        {suite.failures.value.length > 0 && (
          <section class="panel" aria-labelledby="failed">
            <h2 id="failed">Failures</h2>
            <pre id="failures">
              {suite.failures.value
                .map(({ backend, result }) => `${backend} ${formatFailure(result)}`)
                .join("\n\n")}
            </pre>
          </section>
        )}
        {reports.length > 0 && <Summaries reports={reports} />}
        <CaseView suite={suite} />
        {done && ready.length > 0 && (
          <>
            <SupportMatrix reports={ready} />
            <CaseMatrix suite={suite} reports={ready} />
          </>
        )}
      </main>
      <footer>
        <p>
          Each case is a call whose result is known. It runs here, in this browser; nothing is sent
          anywhere.
        </p>
      </footer>
    </>
  );
}

/** The report as a file, which the conformance command puts beside its own. */
function Download({ suite }: { suite: SuiteRun }): JSX.Element {
  const address = useSignal("");
  const reports = suite.reports.value;
  useEffect(() => {
    const text = documentToJson(makeDocument(reports));
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    address.value = url;
    return () => URL.revokeObjectURL(url);
  }, [reports, address]);
  return (
    <section class="files" aria-label="Report">
      <a class="button" href={address.value} download="heed-conformance.json">
        Download the report as JSON
      </a>
      <span class="quiet">
        <code>pnpm conformance --merge heed-conformance.json</code> puts it beside others
      </span>
    </section>
  );
}
