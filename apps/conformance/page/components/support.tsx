import {
  type ConformanceReport,
  type FeatureSupport,
  featureNames,
  supportOf,
} from "@heed/conformance";
import { Scroll } from "@heed/page";
import type { JSX } from "preact";

const signs: Readonly<Record<FeatureSupport["status"], string>> = {
  pass: "✓",
  partly: "◐",
  refused: "–",
  fail: "✗",
  none: "",
};

/** A table of the features that each backend supports, with its reasons for each refusal. */
export function SupportMatrix({ reports }: { reports: readonly ConformanceReport[] }): JSX.Element {
  const supports = reports.map(supportOf);
  // A selection of the cases may leave some features without any case.
  const present = featureNames.filter((feature) =>
    supports.some((support) => support.get(feature)?.status !== "none"),
  );
  return (
    <section class="panel" aria-labelledby="support">
      <h2 id="support">Support</h2>
      <p class="quiet">
        ✓ all cases pass, ◐ some are refused, – all are, ✗ some fail. A sign that can be pressed
        says why.
      </p>
      <Scroll label="Support by feature">
        <table class="results matrix">
          <thead>
            <tr>
              <th scope="col">feature</th>
              {reports.map(({ backend }) => (
                <th key={backend} scope="col">
                  {backend}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {present.map((feature) => (
              <tr key={feature}>
                <th scope="row">{feature}</th>
                {supports.map((support, i) => (
                  <Cell
                    key={reports[i]?.backend}
                    id={`support-${feature}-${i}`.replace(/\W+/g, "-")}
                    title={`${reports[i]?.backend}, ${feature}`}
                    support={support.get(feature) as FeatureSupport}
                  />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

interface CellProps {
  readonly id: string;
  readonly title: string;
  readonly support: FeatureSupport;
}

function Cell({ id, title, support }: CellProps): JSX.Element {
  const { status, passed, failed, reasons } = support;
  const told = `${title}: ${passed} pass, ${failed} fail`;
  if (reasons.length === 0) {
    return (
      <td class={status} title={status === "none" ? undefined : told}>
        {signs[status]}
      </td>
    );
  }
  return (
    <td class={status}>
      <button type="button" class="sign" popovertarget={id} aria-label={`${told}: why`}>
        {signs[status]}
      </button>
      <div popover id={id}>
        <p>
          <b>{told}</b>
        </p>
        <ul>
          {reasons.map((reason) => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      </div>
    </td>
  );
}
