import type { CaseResult, ConformanceReport } from "./report.js";

/** One line for a backend: its counts, or why it is unavailable. */
export function formatSummary(report: ConformanceReport): string {
  const { backend, unavailable, counts } = report;
  if (unavailable) {
    const hint = unavailable.hint ? ` (${unavailable.hint})` : "";
    return `${backend}: unavailable: ${unavailable.reason}${hint}`;
  }
  const known = counts["known-failure"];
  return `${backend}: ${counts.pass} pass, ${counts.fail} fail, ${known > 0 ? `${known} known failures, ` : ""}${counts.unsupported} unsupported`;
}

/** Most explanations that are printed for one case; other cases help to choose among them. */
const mostAlternatives = 3;

/**
 * Describes the errors of a failing case in a few lines.
 *
 * @param likely mistakes that other cases point to as well: explanations by those come first
 */
export function formatFailure(result: CaseResult, likely: readonly string[] = []): string {
  const lines = [`${result.id}: ${result.outcome}`];
  for (const failure of result.failures) lines.push(`  ${failure}`);
  const { worst, explanations = [] } = result;
  if (explanations.length > 0) {
    const isLikely = (together: readonly string[]) => together.every((one) => likely.includes(one));
    const alternatives = [
      ...explanations.filter(isLikely),
      ...explanations.filter((together) => !isLikely(together)),
    ]
      .slice(0, mostAlternatives)
      .map((together) => together.join(", and "));
    const more = explanations.length - alternatives.length;
    lines.push(
      `  this is what comes out if ${alternatives.join("; or if ")}${more > 0 ? `; or by one of ${more} more such mistakes` : ""}`,
    );
  }
  if (worst) {
    lines.push(
      `  worst element: ${worst.output}[${worst.index.join(", ")}]`,
      `  expected ${worst.expected}`,
      `  got      ${worst.got}`,
      `  error    ${formatBudgets(worst.budgets)} budgets`,
    );
    if (result.nmse !== null)
      lines.push(`  normalised mean-square error ${result.nmse.toExponential(1)}`);
  }
  for (const { message, hint } of result.reasons) {
    lines.push(`  refused: ${message}${hint ? ` (${hint})` : ""}`);
  }
  if (result.known) lines.push(`  known: ${result.known.why} ${result.known.link}`);
  return lines.join("\n");
}

export function formatBudgets(budgets: number): string {
  if (budgets !== 0 && (budgets < 0.01 || budgets >= 1e4)) return budgets.toExponential(1);
  return budgets.toFixed(2);
}
