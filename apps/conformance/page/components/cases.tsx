import { type CaseResult, type ConformanceReport, formatBudgets } from "@heed/conformance";
import { Folded, Scroll } from "@heed/page";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { SuiteRun } from "../suite-run.js";
import { Bar } from "./bar.js";

interface MatrixProps {
  readonly suite: SuiteRun;
  /** Reports of the backends that ran. */
  readonly reports: readonly ConformanceReport[];
}

/** Cases of one profile, with what each backend made of each. */
interface Group {
  readonly profile: string;
  readonly cases: readonly { readonly id: string; readonly results: readonly CaseResult[] }[];
}

/** Every case: by profile as bars that show where something is wrong, and one by one inside. */
export function CaseMatrix({ suite, reports }: MatrixProps): JSX.Element {
  const filter = useSignal("");
  const groups = groupsOf(reports);
  return (
    <section class="panel" aria-labelledby="cases-title">
      <div class="panel-head">
        <h2 id="cases-title">Cases</h2>
        <label class="search">
          <span class="visually-hidden">filter by name</span>
          <input
            id="filter"
            type="text"
            placeholder="filter by name"
            value={filter.value}
            onInput={(event) => {
              filter.value = event.currentTarget.value;
            }}
          />
        </label>
      </div>
      <p class="quiet">
        With each case stands its largest error over what is allowed: at 1 it would fail. A case
        that is pressed shows its particulars.
      </p>
      <div id="cases">
        {groups.map((group) => (
          <GroupView
            key={`${group.profile} ${filter.value !== ""}`}
            suite={suite}
            reports={reports}
            group={group}
            filter={filter.value}
          />
        ))}
      </div>
    </section>
  );
}

interface GroupProps extends MatrixProps {
  readonly group: Group;
  readonly filter: string;
}

function GroupView({ suite, reports, group, filter }: GroupProps): JSX.Element | null {
  const cases = group.cases.filter(({ id }) => id.includes(filter));
  if (cases.length === 0) return null;
  const failing = cases.some(({ results }) => results.some(({ outcome }) => outcome === "fail"));
  return (
    <Folded
      open={failing || filter !== "" || group.cases.length === 1}
      summary={
        <>
          <span class="case-id">{group.profile}</span>
          <span class="quiet">
            {cases.length} case{cases.length === 1 ? "" : "s"}
          </span>
          <span class="end bars">
            {reports.map((report) => {
              const counts = countsOf(cases, report);
              return (
                <span key={report.backend} class="bar-of">
                  {report.backend} {counts.pass}/{cases.length}
                  <Bar counts={counts} />
                </span>
              );
            })}
          </span>
        </>
      }
    >
      {() => (
        <Scroll label={`Cases of ${group.profile}`}>
          <table class="results matrix">
            <thead>
              <tr>
                <th scope="col">case</th>
                {reports.map(({ backend }) => (
                  <th key={backend} scope="col">
                    {backend}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {cases.map(({ id, results }) => (
                <tr key={id} data-id={id}>
                  <th scope="row">
                    <button
                      type="button"
                      class="link"
                      aria-pressed={suite.chosen.value === id}
                      onClick={() => {
                        suite.chosen.value = id;
                      }}
                    >
                      {id}
                    </button>
                  </th>
                  {reports.map((report) => (
                    <ResultCell
                      key={report.backend}
                      result={results.find((result) => report.results.includes(result))}
                    />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Folded>
  );
}

const signs: Readonly<Record<CaseResult["outcome"], string>> = {
  pass: "✓",
  fail: "✗",
  "known-failure": "✗ known",
  unsupported: "–",
};

function ResultCell({ result }: { result: CaseResult | undefined }): JSX.Element {
  if (!result) return <td />;
  const { outcome, budgets } = result;
  return (
    <td class={outcome}>
      {signs[outcome]}
      {budgets !== null && <span class="budgets"> {formatBudgets(budgets)}</span>}
    </td>
  );
}

function groupsOf(reports: readonly ConformanceReport[]): Group[] {
  const byProfile = new Map<string, Map<string, CaseResult[]>>();
  for (const { results } of reports) {
    for (const result of results) {
      const cases = byProfile.get(result.profile) ?? new Map<string, CaseResult[]>();
      byProfile.set(result.profile, cases);
      cases.set(result.id, [...(cases.get(result.id) ?? []), result]);
    }
  }
  return [...byProfile].map(([profile, cases]) => ({
    profile,
    cases: [...cases].map(([id, results]) => ({ id, results })),
  }));
}

function countsOf(cases: Group["cases"], report: ConformanceReport): ConformanceReport["counts"] {
  const counts = { pass: 0, fail: 0, "known-failure": 0, unsupported: 0 };
  const own = new Set(report.results);
  for (const { results } of cases) {
    for (const result of results) if (own.has(result)) counts[result.outcome]++;
  }
  return counts;
}
