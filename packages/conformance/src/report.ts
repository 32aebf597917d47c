import type { AttentionProblem, BackendInfo, SupportReason } from "@heed/core";
import type { Profile } from "./case.js";
import type { KnownFailure } from "./declaration.js";
import type { WorstElement } from "./judge.js";

/** What became of a case. A backend that is unavailable has no cases: see {@link ConformanceReport}. */
export type Outcome = "pass" | "fail" | "known-failure" | "unsupported";

export interface CaseResult {
  readonly id: string;
  readonly profile: Profile | "vectors";
  readonly outcome: Outcome;
  /** Features of the problem, for the table of support. */
  readonly features: readonly string[];
  /** Largest error over what was allowed; `null` where nothing was computed. */
  readonly budgets: number | null;
  /** Normalised mean-square error. */
  readonly nmse: number | null;
  readonly worst: WorstElement | null;
  /** What went wrong, a sentence each; empty where nothing did. */
  readonly failures: readonly string[];
  /** Why the backend refused. */
  readonly reasons: readonly SupportReason[];
  /** What the backend's own package says about a `"known-failure"`. */
  readonly known?: KnownFailure;
  readonly milliseconds: number;
}

/** JSON-serialisable, but for ±∞ and NaN in `worst`, which {@link reportToJson} writes as strings. */
export interface ConformanceReport {
  readonly version: 1;
  readonly backend: string;
  /** Set where the backend could not be loaded; there are then no results. */
  readonly unavailable: { readonly reason: string; readonly hint?: string } | null;
  readonly info: BackendInfo | null;
  readonly environment: string;
  readonly counts: Readonly<Record<Outcome, number>>;
  readonly results: readonly CaseResult[];
}

/** Features by the names that the table of support shows. */
export const featureNames = [
  "float32",
  "float16",
  "float64",
  "grouped-query heads",
  "value head size",
  "cross-attention",
  "causal",
  "window",
  "queryOffset",
  "kvLengths",
  "mask",
  "bias",
  "ALiBi",
  "softcap",
  "sinks",
  "logSumExp",
  "weights",
  "scores",
  "ONNX Attention",
] as const;

export function featuresOf(p: AttentionProblem): string[] {
  const has: Partial<Record<(typeof featureNames)[number], boolean>> = {
    [p.dtype]: true,
    "grouped-query heads": p.queryHeads !== p.kvHeads,
    "value head size": p.valueDim !== p.headDim,
    "cross-attention": p.queryLength !== p.keyLength,
    causal: p.causal,
    window: p.window !== null,
    queryOffset: p.positions !== "none" && p.positions !== "fixed",
    kvLengths: p.kvLengths,
    mask: p.mask !== null,
    bias: p.bias !== null,
    ALiBi: p.alibi,
    softcap: p.softcap !== null,
    sinks: p.sinks,
    logSumExp: p.returns.logSumExp,
    weights: p.returns.weights,
    scores: p.returns.scores !== null,
  };
  return featureNames.filter((name) => has[name]);
}

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

/** What a failing case got wrong, in a few lines. */
export function formatFailure(result: CaseResult): string {
  const lines = [`${result.id}: ${result.outcome}`];
  for (const failure of result.failures) lines.push(`  ${failure}`);
  const { worst } = result;
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
  return lines.join("\n");
}

export function formatBudgets(budgets: number): string {
  if (budgets !== 0 && (budgets < 0.01 || budgets >= 1e4)) return budgets.toExponential(1);
  return budgets.toFixed(2);
}

/** JSON with ±∞ and NaN as strings, since JSON has no such numbers. */
export function reportToJson(reports: readonly ConformanceReport[]): string {
  return `${JSON.stringify(
    reports,
    (_, value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value),
    2,
  )}\n`;
}

/**
 * The table of support as Markdown: features × backends, from reports and nothing else. No
 * timings, so that it changes only when support does.
 */
export function supportTable(reports: readonly ConformanceReport[]): string {
  const available = reports.filter((report) => !report.unavailable);
  const names = available.map((report) => report.backend);
  const rows = featureNames.map((feature) => {
    const cells = available.map((report) => supportCell(report, feature));
    return `| ${[feature, ...cells].join(" | ")} |`;
  });
  return [
    `| | ${names.join(" | ")} |`,
    `| --- |${names.map(() => " --- |").join("")}`,
    ...rows,
  ].join("\n");
}

function supportCell(report: ConformanceReport, feature: string): string {
  const results = report.results.filter(({ features }) => features.includes(feature));
  const count = (outcome: Outcome): number =>
    results.filter((result) => result.outcome === outcome).length;
  if (count("fail") > 0) return `**${count("fail")} fail**`;
  if (count("pass") > 0) return `✓ ${count("pass")}`;
  const reasons = new Set(results.flatMap((result) => result.reasons.map((r) => r.message)));
  return reasons.size > 0 ? `refused: ${[...reasons].join("; ")}` : "–";
}
