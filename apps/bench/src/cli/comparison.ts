import Table from "cli-table3";
import {
  type CaseComparison,
  type Comparison,
  fewestLaunches,
  type Verdict,
} from "../compare/compare.js";
import {
  formatBasis,
  formatChange,
  formatInterval,
  formatP,
  verdictWords,
} from "../compare/words.js";
import { plural } from "../report/describe.js";
import { formatNumber } from "../report/format.js";

/**
 * A comparison for a terminal.
 *
 * @param all every case, and not only those with something to say
 */
export function renderComparison(comparison: Comparison, all: boolean): string {
  const { caveats, machine, launches, contenders, cases, unmatched } = comparison;
  const telling = all ? cases : cases.filter(({ verdict }) => verdict !== "same");
  return [
    [
      ...caveats.map((caveat) => `not the same conditions: ${caveat}`),
      `the yardstick takes ${formatChange(machine)} than before; what follows is relative to it`,
    ].join("\n"),
    contenders
      .map(
        (found) =>
          `  ${found.contender}: ${formatChange(found.change)}${formatInterval(found.interval)} ${formatBasis(found)}: ${verdictWords[found.verdict]}`,
      )
      .join("\n"),
    ...(telling.length > 0 ? [renderCases(telling)] : []),
    summary(cases),
    ...(launches < fewestLaunches
      ? [
          `single cases stay unsure with fewer than ${fewestLaunches} launches (--launches), since each process has its own luck`,
        ]
      : []),
    ...(unmatched.length > 0 ? [`measured in one run only: ${unmatched.join(", ")}`] : []),
  ].join("\n\n");
}

function renderCases(cases: readonly CaseComparison[]): string {
  const table = new Table({
    head: ["case", "backend", "before ms", "after ms", "time", "p", "verdict"],
    style: { head: [], border: [], compact: true },
    colAligns: ["left", "left", "right", "right", "right", "right", "left"],
  });
  for (const c of cases) {
    table.push([
      c.case,
      c.contender,
      formatNumber(c.before),
      formatNumber(c.after),
      `${formatChange(c.change)}${formatInterval(c.interval)}`,
      formatP(c.p),
      verdictWords[c.verdict],
    ]);
  }
  return table.toString();
}

function summary(cases: readonly CaseComparison[]): string {
  const count = (verdict: Verdict) => cases.filter((c) => c.verdict === verdict).length;
  return `${plural(cases.length, "comparison")}: ${count("slower")} slower, ${count("faster")} faster, ${count("unsure")} unsure, ${count("same")} noise`;
}
