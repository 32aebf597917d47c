import { cases as allCases } from "../operations/attention/cases/index.js";
import {
  type CommonTrait,
  commonTraits,
  traitsOf,
} from "../operations/attention/explain/traits.js";
import { type CommonMistake, commonMistakes, explains } from "../report/common-mistakes.js";
import type { ConformanceReport } from "../report/report.js";
import type { AnyCase } from "./check-case.js";

/** The common causes of many failures. */
export interface ReportExplanation {
  readonly mistakes: readonly CommonMistake[];
  /** Failing cases that no known mistake explains. */
  readonly unexplained: number;
  /** The traits that those cases have in common. */
  readonly traits: readonly CommonTrait[];
}

/**
 * Many failures may be few bugs. Cases that known mistakes explain are set aside, and what the others
 * have in common is looked for without them.
 *
 * @param cases those of the report, or more; default all but the exhaustive ones
 */
export function explainReport(
  { results }: ConformanceReport,
  cases: readonly AnyCase[] = allCases,
): ReportExplanation {
  const mistakes = commonMistakes(results);
  const names = mistakes.map(({ mistake }) => mistake);
  const rest = results.filter(
    ({ outcome, explanations = [] }) => outcome !== "fail" || !explains(names, explanations),
  );
  const ids = new Set(rest.map(({ id }) => id));
  const traits = new Map(
    cases.flatMap((c) => ("spec" in c && ids.has(c.id) ? [[c.id, traitsOf(c)] as const] : [])),
  );
  return {
    mistakes,
    unexplained: rest.filter(({ outcome }) => outcome === "fail").length,
    traits: commonTraits(rest, traits),
  };
}

/** The same in words, of each backend of which something can be said. */
export function formatExplanations(
  reports: readonly ConformanceReport[],
  cases?: readonly AnyCase[],
): string[] {
  return reports.map((report) => formatExplanation(report, cases)).filter((text) => text !== "");
}

/** The explanation of one report; empty if nothing failed or nothing explains the failures. */
export function formatExplanation(report: ConformanceReport, cases?: readonly AnyCase[]): string {
  const { mistakes, unexplained, traits } = explainReport(report, cases);
  const lines: string[] = [];
  if (mistakes.length > 0) {
    lines.push(`${report.backend}: mistakes that would give what failing cases gave`);
    for (const { mistake, cases: count } of mistakes) lines.push(`  ${counted(count)}: ${mistake}`);
  }
  if (traits.length > 0) {
    lines.push(
      `${report.backend}: what ${mistakes.length > 0 ? `the ${counted(unexplained)} that they do not explain` : "failing cases"} have in common`,
    );
    for (const { trait, failing, passing } of traits) {
      const others = passing === 0 ? "none passes" : `${passing} pass`;
      lines.push(`  ${failing} with ${trait}; of the cases with that, ${others}`);
    }
  } else if (unexplained > 0 && mistakes.length > 0) {
    lines.push(
      `${report.backend}: ${counted(unexplained)} more failed, and no known mistake says why; they may go when those are mended`,
    );
  }
  return lines.join("\n");
}

function counted(cases: number): string {
  return `${cases} case${cases === 1 ? "" : "s"}`;
}
