import {
  type DeviceReport,
  deviceReportToJson,
  reportToFragment,
  totals,
  tuningInWords,
} from "@heed/conformance/device-report";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { CopyButton } from "../copy-button.js";
import { download } from "../download.js";
import { addToOwnReport, ownReport, ownReportProblem, readOwnReport } from "./own-report.js";

/** Lets people hand on what was found on their device: as one file, or as a link that holds it. */
export function ShareReport(): JSX.Element | null {
  useEffect(readOwnReport, []);
  const report = ownReport.value;
  if (!report && ownReportProblem.value === null) return null;
  return (
    <section class="panel share" aria-labelledby="share">
      <h2 id="share">Send it to others</h2>
      {ownReportProblem.value !== null && (
        <p class="warning" role="alert">
          The results cannot become a report: {ownReportProblem.value}
        </p>
      )}
      {report && <Share report={report} />}
    </section>
  );
}

function Share({ report }: { report: DeviceReport }): JSX.Element {
  const link = useSignal("");
  useEffect(() => {
    let current = true;
    void reportToFragment(report).then((fragment) => {
      if (current) link.value = `${location.origin}${location.pathname}${fragment}`;
    });
    return () => {
      current = false;
    };
  }, [report, link]);
  return (
    <>
      <p>{contents(report)}</p>
      <div class="settings">
        <label>
          Name of this device, which browsers do not tell
          <input
            type="text"
            name="device"
            maxLength={80}
            value={report.device ?? ""}
            onChange={(event) => addToOwnReport({ device: event.currentTarget.value })}
          />
        </label>
      </div>
      <div class="files">
        <button
          type="button"
          onClick={() =>
            download("heed-device-report.json", "application/json", deviceReportToJson(report))
          }
        >
          Export for others
        </button>
        {link.value !== "" && <CopyButton label="Copy link" text={link.value} />}
      </div>
      <p class="quiet">
        The link holds the whole report behind its #, which is not sent to any server.
      </p>
    </>
  );
}

/** The contents of the report, in a sentence. */
function contents({ conformance, benchmark, tuning }: DeviceReport): string {
  const cases = (conformance ?? []).reduce((sum, backend) => {
    const { pass, fail, unsupported, "known-failure": known } = totals(backend);
    return sum + pass + fail + unsupported + known;
  }, 0);
  const suite = conformance
    ? `results of ${cases} cases of the conformance suite on ${conformance.map(({ backend }) => backend).join(", ")}`
    : "nothing of the conformance suite, whose page adds it";
  const speed = benchmark
    ? `times of ${benchmark.cases.length} ${benchmark.cases.length === 1 ? "case" : "cases"} of the benchmark`
    : "nothing of the benchmark, whose page adds it";
  const choices = tuning ? `; ${tuningInWords(tuning)}` : "";
  return `One report of this browser on this device: ${suite}; ${speed}${choices}.`;
}
