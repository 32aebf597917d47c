import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { compareReports } from "../../src/compare/compare.js";
import { rooflineOf } from "../../src/plots/roofline.js";
import { type SeriesCurves, seriesOf } from "../../src/plots/series.js";
import {
  describeCeiling,
  describeContender,
  describeMachine,
  describeVersions,
  plural,
} from "../../src/report/describe.js";
import { formatNumber } from "../../src/report/format.js";
import type { BenchReport } from "../../src/report/report.js";
import { type Row, rowsOf } from "../../src/report/rows.js";
import { errorPlot } from "../plots/errors.js";
import { type Canvas, looksOf } from "../plots/look.js";
import { type OverviewQuantity, overviewLabels, overviewPlot } from "../plots/overview.js";
import { rooflinePlot } from "../plots/roofline.js";
import { quantityLabels, type SeriesQuantity, seriesPlot } from "../plots/series.js";
import { AdviceView } from "./advice.js";
import { Chart, Choice } from "./chart.js";
import { ComparisonView } from "./comparison.js";
import { Legend } from "./legend.js";
import { ResultTable, TableLegend } from "./table.js";

/** Number of contenders up to which the runtime and device of each are shown unfolded. */
const fewContenders = 6;

/** Below so many, all of them take no more height than another plot, and better all of the width. */
const fewCases = 13;

interface ReportViewProps {
  readonly report: BenchReport;
  /** Address or file that the report came from, in words; null for this page's own measurements. */
  readonly origin: string | null;
  /** An earlier report to compare with; null for none. */
  readonly earlier: BenchReport | null;
}

/** A report with everything that there is to see in it. */
export function ReportView({ report, origin, earlier }: ReportViewProps): JSX.Element {
  const details = useSignal(false);
  const hidden = useSignal<ReadonlySet<string>>(new Set());
  const rows = rowsOf(report);
  const looks = looksOf(report.contenders);
  const measured = new Set(
    rows.flatMap(({ result, numbers }) => (numbers ? result.contender : [])),
  );
  const present = new Map([...looks].filter(([name]) => measured.has(name)));
  const shown = (contender: string) => !hidden.value.has(contender);
  const toggle = (name: string) => {
    const next = new Set(hidden.value);
    if (!next.delete(name)) next.add(name);
    hidden.value = next;
  };
  const canvas = (width: number): Canvas => ({ width, looks, shown });
  return (
    <>
      {origin !== null && <Origin report={report} origin={origin} />}
      <AdviceView report={report} here={origin === null} />
      <Conditions report={report} />
      {earlier && (
        <section class="panel" aria-labelledby="comparison">
          <h2 id="comparison">
            Compared with {earlier.environments[0]?.date.slice(0, 16).replace("T", " ")}
          </h2>
          <ComparisonView comparison={compareReports(earlier, report)} />
        </section>
      )}
      {present.size > 0 && (
        <section class="panel" aria-labelledby="plots">
          <h2 id="plots">Plots</h2>
          <Legend looks={present} hidden={hidden.value} onToggle={toggle} />
          <div class={report.cases.length < fewCases ? "charts few" : "charts"}>
            <Overview rows={rows} canvas={canvas} />
            <SeriesCharts report={report} canvas={canvas} />
            {report.environments.some(({ ceiling }) => ceiling) && (
              <RooflineChart report={report} canvas={canvas} />
            )}
            <Chart
              title="Error"
              summary={errorSummary(rows)}
              draw={(w) => errorPlot(rows, canvas(w))}
            />
          </div>
        </section>
      )}
      <section class="panel" aria-labelledby="results">
        <div class="panel-head">
          <h2 id="results">Results</h2>
          <label class="switch">
            <input
              type="checkbox"
              checked={details.value}
              onChange={(event) => {
                details.value = event.currentTarget.checked;
              }}
            />
            first calls and memory
          </label>
        </div>
        <ResultTable rows={rows} details={details.value} />
        <TableLegend rows={rows} details={details.value} />
      </section>
    </>
  );
}

function Conditions({ report }: { report: BenchReport }): JSX.Element {
  const { dtype, threads, budget } = report.options;
  return (
    <section class="panel" aria-labelledby="conditions">
      <h2 id="conditions">Conditions</h2>
      {report.interrupted && (
        <p class="warning">Not finished: what was done until then is shown.</p>
      )}
      {report.environments.map((environment) => (
        <p key={environment.name}>
          <b>{environment.name}</b> on {describeMachine(environment)};{" "}
          {describeVersions(environment)}; {environment.date.slice(0, 16).replace("T", " ")}
          {environment.ceiling && (
            <span class="quiet"> · {describeCeiling(environment.ceiling)}</span>
          )}
          {environment.notes?.map((note) => (
            <span key={note} class="quiet">
              {" "}
              · {note}
            </span>
          ))}
        </p>
      ))}
      <p class="quiet">
        {dtype}, {plural(threads, "thread")}, {budget} ms for each backend and case
      </p>
      {report.contenders.length <= fewContenders ? (
        <Contenders report={report} />
      ) : (
        <details>
          <summary>{report.contenders.length} contenders, and what each runs on</summary>
          <Contenders report={report} />
        </details>
      )}
    </section>
  );
}

function Contenders({ report }: { report: BenchReport }): JSX.Element {
  return (
    <dl class="contenders">
      {report.contenders.map((contender) => (
        <div key={contender.name} class={contender.status}>
          <dt>{contender.name}</dt>
          <dd>{describeContender(contender)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A notice that names the source of a report that this page did not measure. */
function Origin({ report, origin }: { report: BenchReport; origin: string }): JSX.Element {
  const [environment] = report.environments;
  return (
    <section class="panel origin" aria-labelledby="origin">
      <h2 id="origin">Not measured here</h2>
      <p>
        These are the numbers of <b class="address">{origin}</b>
        {environment && (
          <>
            , which says that they were measured with {describeVersions(environment)} on{" "}
            {describeMachine(environment)}, {environment.date.slice(0, 16).replace("T", " ")}
          </>
        )}
        . This page shows them as they stand there, and has checked none.
      </p>
    </section>
  );
}

interface PlotProps {
  canvas(width: number): Canvas;
}

function Overview({ rows, canvas }: PlotProps & { rows: readonly Row[] }): JSX.Element {
  const quantity = useSignal<OverviewQuantity>("slower");
  const wins = winsOf(rows);
  const summary = wins.map(([name, count]) => `${name} in ${plural(count, "case")}`).join(", ");
  return (
    <Chart
      title="All cases"
      summary={summary === "" ? "" : `Fastest: ${summary}.`}
      draw={(width) => overviewPlot(rows, quantity.value, canvas(width))}
    >
      <Choice
        label="Quantity of all cases"
        options={Object.entries(overviewLabels) as [OverviewQuantity, string][]}
        value={quantity.value}
        onChange={(value) => {
          quantity.value = value;
        }}
      />
    </Chart>
  );
}

/** How often each contender is the fastest, the most frequent first. */
function winsOf(rows: readonly Row[]): [name: string, count: number][] {
  const best = new Map<string, Row>();
  for (const row of rows) {
    const before = best.get(row.report.id);
    if (row.numbers && row.numbers.median < (before?.numbers?.median ?? Number.POSITIVE_INFINITY)) {
      best.set(row.report.id, row);
    }
  }
  const wins = new Map<string, number>();
  for (const { result } of best.values()) {
    wins.set(result.contender, (wins.get(result.contender) ?? 0) + 1);
  }
  return [...wins].sort(([, a], [, b]) => b - a);
}

function SeriesCharts({ report, canvas }: PlotProps & { report: BenchReport }): JSX.Element | null {
  const quantity = useSignal<SeriesQuantity>("ms");
  const name = useSignal<string | null>(null);
  // The longest has the most to show.
  const all = seriesOf(report).sort((a, b) => sizesIn(b) - sizesIn(a));
  const chosen = all.find((one) => one.name === name.value) ?? all[0];
  if (!chosen) return null;
  return (
    <Chart
      title={`By ${chosen.axis}`}
      summary={crossoverSummary(chosen)}
      draw={(width) => seriesPlot(chosen, quantity.value, canvas(width))}
    >
      <Choice
        label="Series"
        options={all.map((one) => [one.name, one.name])}
        value={chosen.name}
        onChange={(value) => {
          name.value = value;
        }}
      />
      <Choice
        label="Quantity of the series"
        options={Object.entries(quantityLabels) as [SeriesQuantity, string][]}
        value={quantity.value}
        onChange={(value) => {
          quantity.value = value;
        }}
      />
    </Chart>
  );
}

function sizesIn({ points }: SeriesCurves): number {
  return new Set(points.map(({ at }) => at)).size;
}

function crossoverSummary({ name, axis, points, crossovers }: SeriesCurves): string {
  if (crossovers.length === 0) {
    const most = Math.max(...points.map(({ at }) => at));
    const best = points.filter(({ at }) => at === most).reduce((a, b) => (b.ms < a.ms ? b : a));
    return `${name}: ${best.contender} is the fastest throughout, up to ${formatNumber(best.gflops)} GFLOP/s.`;
  }
  return `${name}: ${crossovers
    .map(({ at, from, to }) => `${from} is the fastest up to ${axis} ${Math.round(at)}, then ${to}`)
    .join("; ")}.`;
}

function RooflineChart({ report, canvas }: PlotProps & { report: BenchReport }): JSX.Element {
  const roofline = rooflineOf(report);
  const [best] = roofline.points
    .filter(({ fraction }) => fraction !== null)
    .sort((a, b) => (b.fraction ?? 0) - (a.fraction ?? 0));
  return (
    <Chart
      title="Roofline"
      summary={
        best
          ? `Nearest to the limit: ${best.contender} on ${best.case}, ${(100 * (best.fraction ?? 0)).toFixed(0)} % of it. The roof is what wasm reaches here; a GPU, native code and data in a cache can pass it.`
          : ""
      }
      draw={(width) => rooflinePlot(roofline, canvas(width))}
    />
  );
}

function errorSummary(rows: readonly Row[]): string {
  const wrong = rows.filter(({ result }) => result.status === "wrong");
  const errors = rows.flatMap(({ numbers }) => numbers?.errorInBudgets ?? []);
  const worst =
    errors.length === 0
      ? ""
      : `${wrong.length === 0 ? "The" : "Of what is right, the"} largest error is ${Math.max(...errors).toFixed(2)} of what is tolerated.`;
  return wrong.length === 0 ? worst : `Wrong: ${wrongWords(wrong)}. ${worst}`;
}

/** Cases of a contender that are named one by one. */
const fewWrong = 3;

/** Each contender that is wrong, with its cases. */
function wrongWords(wrong: readonly Row[]): string {
  const names = [...new Set(wrong.map(({ result }) => result.contender))];
  return names
    .map((name) => {
      const cases = wrong
        .filter(({ result }) => result.contender === name)
        .map(({ report }) => report.id);
      const more = cases.length - fewWrong;
      const shown = cases.slice(0, fewWrong).join(", ");
      return `${name} on ${shown}${more > 0 ? ` and ${plural(more, "case")} more` : ""}`;
    })
    .join("; ");
}
