import type { ConformanceReport } from "@heed/conformance";
import type { JSX } from "preact";
import { Bar } from "./bar.js";

/** A card a backend: what it runs on, and how it did. */
export function Summaries({ reports }: { reports: readonly ConformanceReport[] }): JSX.Element {
  return (
    <section class="panel" aria-labelledby="backends">
      <h2 id="backends">Backends</h2>
      <p class="quiet">{[...new Set(reports.map(({ environment }) => environment))].join("; ")}</p>
      <div class="cards">
        {reports.map((report) => (
          <Summary key={report.backend} report={report} />
        ))}
      </div>
    </section>
  );
}

function Summary({ report }: { report: ConformanceReport }): JSX.Element {
  const { backend, unavailable, info, counts } = report;
  const kind = unavailable ? "missing" : counts.fail > 0 ? "failing" : "passing";
  const facts = info ? [info.runtime, info.device, ...info.features, ...(info.notes ?? [])] : [];
  return (
    <article class={`card ${kind}`}>
      <h3>{backend}</h3>
      {unavailable ? (
        <p>
          unavailable: {unavailable.reason}
          {unavailable.hint && <span class="hint"> {unavailable.hint}</span>}
        </p>
      ) : (
        <>
          <Bar counts={counts} />
          <p>
            {counts.pass} pass, {counts.fail} fail
            {counts["known-failure"] > 0 && `, ${counts["known-failure"]} known failures`},{" "}
            {counts.unsupported} refused
          </p>
        </>
      )}
      {facts.length > 0 && <p class="quiet">{facts.join(" · ")}</p>}
    </article>
  );
}
