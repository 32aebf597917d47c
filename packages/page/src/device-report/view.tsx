import {
  adapterOf,
  type BackendConformance,
  type DeviceBenchmark,
  type DeviceReport,
  deviceTitle,
  engineTitle,
  gflopsOf,
  machineInWords,
  totals,
  tuningInWords,
} from "@heed/conformance/device-report";
import type { JSX } from "preact";
import { Folded } from "../folded.js";
import { Scroll } from "../scroll.js";

interface ViewProps {
  readonly report: DeviceReport;
  /** The report's origin, in words. */
  readonly origin: string;
}

/** A report that somebody else made. All of it is text of theirs. */
export function DeviceReportView({ report, origin }: ViewProps): JSX.Element {
  const { environment, created, conformance, benchmark, tuning } = report;
  const adapter = adapterOf(report);
  const versions = Object.entries(environment.versions).map(([of, version]) => `${of} ${version}`);
  return (
    <div class="device-report">
      <section class="panel origin" aria-labelledby="device-origin">
        <h2 id="device-origin">Not measured here</h2>
        <p>
          This is a report of <b>{engineTitle(report)}</b> on <b>{deviceTitle(report)}</b>, from{" "}
          <b class="address">{origin}</b>. It says that it was made on {day(created)}, with{" "}
          {versions.join(", ")} on {machineInWords(report)}
          {adapter !== null && `, with the GPU ${adapter}`}. This page shows it as it stands there,
          and has checked no number.
        </p>
        {environment.notes?.map((note) => (
          <p key={note} class="quiet">
            {note}
          </p>
        ))}
        {tuning && (
          <p class="quiet">
            It has {tuningInWords(tuning)} ({tuning.format}, version {tuning.version}).
          </p>
        )}
      </section>
      {conformance && <Conformance backends={conformance} />}
      {benchmark && <Speed benchmark={benchmark} />}
    </div>
  );
}

function Conformance({ backends }: { backends: readonly BackendConformance[] }): JSX.Element {
  return (
    <section class="panel" aria-labelledby="device-conformance">
      <h2 id="device-conformance">Conformance</h2>
      <Scroll label="Cases by backend">
        <table class="results">
          <thead>
            <tr>
              <th scope="col">backend</th>
              <th scope="col" class="right">
                pass
              </th>
              <th scope="col" class="right">
                fail
              </th>
              <th scope="col" class="right">
                refused
              </th>
              <th scope="col">profiles</th>
              <th scope="col">runs on</th>
            </tr>
          </thead>
          <tbody>
            {backends.map((backend) => (
              <Backend key={backend.backend} backend={backend} />
            ))}
          </tbody>
        </table>
      </Scroll>
      {backends.map((backend) => (
        <Particulars key={backend.backend} backend={backend} />
      ))}
    </section>
  );
}

function Backend({ backend }: { backend: BackendConformance }): JSX.Element {
  const { unavailable, info, profiles } = backend;
  if (unavailable) {
    return (
      <tr>
        <th scope="row">{backend.backend}</th>
        <td colSpan={5}>unavailable: {unavailable.reason}</td>
      </tr>
    );
  }
  const { pass, fail, unsupported, "known-failure": known } = totals(backend);
  return (
    <tr>
      <th scope="row">{backend.backend}</th>
      <td class="right">{pass}</td>
      <td class="right">{fail + known > 0 ? <b class="bad">{fail + known}</b> : 0}</td>
      <td class="right">{unsupported}</td>
      <td>{Object.keys(profiles).join(", ")}</td>
      <td>{info && [info.runtime, info.device, ...info.features].join(", ")}</td>
    </tr>
  );
}

/** Failures and refusals of a backend, if it has any. */
function Particulars({ backend }: { backend: BackendConformance }): JSX.Element | null {
  const { failures, failuresLeftOut, refusals } = backend;
  if (failures.length === 0 && refusals.length === 0) return null;
  return (
    <Folded summary={`${backend.backend}: what fails or is refused`} open={failures.length > 0}>
      {() => (
        <ul>
          {failures.map(({ id, outcome, messages, explanations }) => (
            <li key={id}>
              <code>{id}</code> {outcome === "fail" ? "fails" : "fails, as is known"}:{" "}
              {messages.join("; ")}
              {explanations.length > 0 && ` (as if ${explanations.join("; or ")})`}
            </li>
          ))}
          {failuresLeftOut > 0 && <li>{failuresLeftOut} more, which the report leaves out</li>}
          {refusals.map(({ message, cases }) => (
            <li key={message}>
              {message}: {cases} refused
            </li>
          ))}
        </ul>
      )}
    </Folded>
  );
}

function Speed({ benchmark }: { benchmark: DeviceBenchmark }): JSX.Element {
  const { cases, casesLeftOut, contenders, dtype, threads, date } = benchmark;
  const ready = contenders.filter(({ unavailable }) => unavailable === null);
  const missing = contenders.filter(({ unavailable }) => unavailable !== null);
  return (
    <section class="panel" aria-labelledby="device-speed">
      <h2 id="device-speed">Speed</h2>
      <p class="quiet">
        Median of calls in ms, and 10⁹ operations a second (GFLOP/s); {dtype}, {threads}{" "}
        {threads === 1 ? "thread" : "threads"}; {day(date)}
      </p>
      <Scroll label="Times by case">
        <table class="results">
          <thead>
            <tr>
              <th scope="col">case</th>
              {ready.map(({ name }) => (
                <th key={name} scope="col" class="right">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {cases.map((one) => (
              <tr key={one.id}>
                <th scope="row" title={one.title}>
                  {one.id}
                </th>
                {ready.map(({ name }) => (
                  <td key={name} class="right">
                    {timeOf(one, name)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {casesLeftOut > 0 && (
        <p class="quiet">{casesLeftOut} more cases, which the report leaves out</p>
      )}
      {missing.map(({ name, unavailable }) => (
        <p key={name} class="quiet">
          {name} is unavailable: {unavailable}
        </p>
      ))}
    </section>
  );
}

function timeOf(one: DeviceBenchmark["cases"][number], contender: string): string {
  const result = one.results.find((r) => r.contender === contender);
  if (!result) return "–";
  if (result.status !== "measured") return result.status;
  const rate = gflopsOf(one, contender);
  const ms = `${short(result.median)} ms`;
  return rate === null ? ms : `${ms} (${short(rate)})`;
}

const short = (value: number): string => String(Number(value.toPrecision(3)));
const day = (date: string): string => date.slice(0, 10);
