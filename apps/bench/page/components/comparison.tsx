import { Scroll } from "@heed/page";
import type { JSX } from "preact";
import {
  type CaseComparison,
  type Comparison,
  fewestLaunches,
  type Verdict,
} from "../../src/compare/compare.js";
import {
  formatBasis,
  formatChange,
  formatInterval,
  formatP,
  verdictWords,
} from "../../src/compare/words.js";
import { plural } from "../../src/report/describe.js";
import { formatNumber } from "../../src/report/format.js";

/** Changes between two runs: signal first, noise on request. */
export function ComparisonView({ comparison }: { comparison: Comparison }): JSX.Element {
  const { caveats, machine, launches, contenders, cases, unmatched } = comparison;
  const telling = cases.filter(({ verdict }) => verdict !== "same");
  const noise = cases.filter(({ verdict }) => verdict === "same");
  return (
    <div class="comparison">
      {caveats.map((caveat) => (
        <p key={caveat} class="warning">
          Not the same conditions: {caveat}.
        </p>
      ))}
      <p>
        The yardstick takes {formatChange(machine)} than before; what follows is relative to it.
      </p>
      <ul class="verdicts">
        {contenders.map((found) => (
          <li key={found.contender}>
            <VerdictMark verdict={found.verdict} /> <b>{found.contender}</b>:{" "}
            {formatChange(found.change)}
            {formatInterval(found.interval)} {formatBasis(found)}
          </li>
        ))}
      </ul>
      {telling.length > 0 && <CaseTable label="Changes" cases={telling} />}
      {noise.length > 0 && (
        <details>
          <summary>{plural(noise.length, "case")} within the noise</summary>
          <CaseTable label="Changes within the noise" cases={noise} />
        </details>
      )}
      {launches < fewestLaunches && (
        <p class="quiet">
          Single cases stay unsure with fewer than {fewestLaunches} launches, since each process has
          its own luck. The command line has --launches.
        </p>
      )}
      {unmatched.length > 0 && (
        <details>
          <summary>{unmatched.length} measured in one run only</summary>
          <p>{unmatched.join(", ")}</p>
        </details>
      )}
    </div>
  );
}

function VerdictMark({ verdict }: { verdict: Verdict }): JSX.Element {
  return <span class={`verdict ${verdict}`}>{verdictWords[verdict]}</span>;
}

interface CaseTableProps {
  readonly label: string;
  readonly cases: readonly CaseComparison[];
}

function CaseTable({ label, cases }: CaseTableProps): JSX.Element {
  return (
    <Scroll label={label}>
      <table class="results">
        <thead>
          <tr>
            <th scope="col">case</th>
            <th scope="col">backend</th>
            <th scope="col" class="right">
              before ms
            </th>
            <th scope="col" class="right">
              after ms
            </th>
            <th scope="col" class="right">
              time
            </th>
            <th scope="col" class="right">
              p
            </th>
            <th scope="col">verdict</th>
          </tr>
        </thead>
        <tbody>
          {cases.map((c) => (
            <tr key={`${c.case} ${c.contender}`}>
              <th scope="row">{c.case}</th>
              <td>{c.contender}</td>
              <td class="right">{formatNumber(c.before)}</td>
              <td class="right">{formatNumber(c.after)}</td>
              <td class="right">
                {formatChange(c.change)}
                {formatInterval(c.interval)}
              </td>
              <td class="right">{formatP(c.p)}</td>
              <td>
                <VerdictMark verdict={c.verdict} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
