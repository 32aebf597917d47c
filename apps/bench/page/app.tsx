import {
  announceOutcome,
  DeviceReportView,
  download,
  Progress,
  ReportInAddress,
  ShareReport,
} from "@heed/page";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { messageOf } from "../src/message.js";
import { reportToCsv } from "../src/report/csv.js";
import { formatSeconds } from "../src/report/format.js";
import type { BenchReport } from "../src/report/report.js";
import { workloadsOf } from "../src/request.js";
import { type Capability, detectCapabilities, lackingFor } from "./browser/capabilities.js";
import { browserEnvironment } from "./browser/environment.js";
import { Capabilities } from "./components/capabilities.js";
import { ReportView } from "./components/report-view.js";
import { estimate, Setup } from "./components/setup.js";
import {
  arrivals,
  deviceReport,
  earlier,
  fileProblem,
  openFiles,
  origin,
  report,
  showOwn,
} from "./state/results.js";
import { runState, startRun } from "./state/run.js";
import { changeRequest, leaveOut, request, type UrlActions, urlProblem } from "./state/url.js";

/** The whole page. */
export function App({ actions }: { actions: UrlActions }): JSX.Element {
  const capabilities = useSignal<readonly Capability[] | null>(null);
  const cancel = useRef<() => void>(() => {});
  const run = runState.value;
  const start = () => {
    if (!capabilities.value) return;
    const environment = browserEnvironment(capabilities.value);
    cancel.current = startRun(request.value, environment, showOwn);
  };
  // Once, when the page opens.
  useEffect(() => {
    detectCapabilities().then((found) => {
      capabilities.value = found;
      if (!actions.run) {
        // Contenders that cannot work in this browser are deselected, unless the address names backends.
        if (!actions.backends) leaveOutMissing(found);
        return;
      }
      if (urlProblem.value === null) start();
      else announceOutcome({ problem: urlProblem.value });
    });
    if (actions.report !== null) void openAddress(actions.report);
    return acceptDrops();
  }, []);
  // Scrolls to the report that a run or a file has brought, once it is on the page.
  const arrived = arrivals.value;
  useEffect(() => {
    if (arrived === 0) return;
    const target = document.getElementById("report");
    target?.scrollIntoView({ block: "start" });
    target?.focus({ preventScroll: true });
  }, [arrived]);
  const nothing =
    (workloadsOf(request.value).length === 0 && !request.value.model) || contendersOf() === 0;
  return (
    <>
      <header class="top">
        <h1>
          <img src="./icon.svg" alt="" width="28" height="28" /> Heed benchmark
        </h1>
        <p>
          Which backend of attention is fastest in this browser, on this machine, for your model?
        </p>
      </header>
      <main>
        <section class="panel" aria-labelledby="browser">
          <h2 id="browser">This browser</h2>
          {capabilities.value ? <Capabilities all={capabilities.value} /> : <p>Looking…</p>}
        </section>
        <section class="panel" aria-labelledby="setup">
          <div class="panel-head">
            <h2 id="setup">What to measure</h2>
            {run.status !== "running" && (
              <button
                type="button"
                class="run"
                disabled={nothing || capabilities.value === null}
                onClick={start}
              >
                Measure
              </button>
            )}
          </div>
          <p class="quiet">{estimate(request.value)}</p>
          {run.status === "running" && (
            <Progress
              share={run.share}
              status={run.case}
              detail={
                run.secondsLeft === null
                  ? run.step
                  : `${run.step} · about ${formatSeconds(run.secondsLeft)} left`
              }
              cancelling={run.cancelling}
              onCancel={() => cancel.current()}
            />
          )}
          {run.status === "failed" && (
            <p class="warning" role="alert">
              The run failed: {run.message}
            </p>
          )}
          {urlProblem.value !== null && (
            <p class="warning" role="alert">
              The address asks for something that there is not: {urlProblem.value}
            </p>
          )}
          <fieldset class="plain" disabled={run.status === "running"}>
            <Setup
              request={request.value}
              lacking={(name) => lackingFor(name, capabilities.value ?? [])}
              onChange={changeRequest}
            />
          </fieldset>
        </section>
        <Files report={report.value} />
        <ShareReport />
        <div id="report" tabIndex={-1}>
          <ReportInAddress />
          {deviceReport.value && <DeviceReportView {...deviceReport.value} />}
          {report.value && (
            <ReportView report={report.value} origin={origin.value} earlier={earlier.value} />
          )}
        </div>
      </main>
      <footer>
        <p>
          Every result that is measured here is checked against float64 before it is timed. Nothing
          leaves this page unless you save it.
        </p>
      </footer>
    </>
  );
}

function leaveOutMissing(capabilities: readonly Capability[]): void {
  leaveOut((name) => lackingFor(name, capabilities) !== null);
}

function contendersOf(): number {
  return request.value.backends.length + request.value.peers.length;
}

/** Result files: in and out. */
function Files({ report: shown }: { report: BenchReport | null }): JSX.Element {
  return (
    <section class="files" aria-label="Result files">
      <label class="button">
        {shown ? "Compare with a result file" : "Open a result file"} or a model
        <input
          type="file"
          multiple
          class="visually-hidden"
          onChange={(event) => {
            const { files } = event.currentTarget;
            if (files) void openFiles([...files]);
            event.currentTarget.value = "";
          }}
        />
      </label>
      {shown && (
        <>
          <button
            type="button"
            onClick={() =>
              download("heed-bench.json", "application/json", JSON.stringify(shown, null, 2))
            }
          >
            Save as JSON
          </button>
          <button
            type="button"
            onClick={() => download("heed-bench.csv", "text/csv", reportToCsv(shown))}
          >
            Save as CSV
          </button>
        </>
      )}
      {earlier.value && (
        <button
          type="button"
          onClick={() => {
            earlier.value = null;
          }}
        >
          End the comparison
        </button>
      )}
      <span class="quiet">or drop it anywhere on the page</span>
      {fileProblem.value !== null && (
        <p class="warning" role="alert">
          {fileProblem.value}
        </p>
      )}
    </section>
  );
}

/** Takes files that are dropped on the page. @returns a function that ends it */
function acceptDrops(): () => void {
  const over = (event: DragEvent) => event.preventDefault();
  const drop = (event: DragEvent) => {
    event.preventDefault();
    if (event.dataTransfer) void openFiles([...event.dataTransfer.files]);
  };
  addEventListener("dragover", over);
  addEventListener("drop", drop);
  return () => {
    removeEventListener("dragover", over);
    removeEventListener("drop", drop);
  };
}

/** Shows a result file that the URL names. */
async function openAddress(address: string): Promise<void> {
  try {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    await openFiles([new File([await response.blob()], address)]);
  } catch (error) {
    const message = messageOf(error);
    fileProblem.value = `${address} cannot be read: ${message}`;
  }
}
