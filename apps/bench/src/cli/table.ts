import Table from "cli-table3";
import { ceilingFraction } from "../report/fraction.js";
import type {
  BenchReport,
  CaseReport,
  CaseResult,
  CeilingReport,
  ContenderReport,
  Measured,
} from "../report/report.js";
import { formatBytes, formatNumber } from "./format.js";

/** Everything there is to say to a terminal. */
export function renderReport(report: BenchReport): string {
  return [
    renderHead(report),
    renderContenders(report.contenders),
    ...(report.ceiling ? [renderCeiling(report.ceiling)] : []),
    renderCases(report),
    renderLegend(report),
  ].join("\n\n");
}

function renderHead({ environment: e, options }: BenchReport): string {
  const versions = Object.entries(e.versions).map(([name, version]) => `${name} ${version}`);
  const machine = `${e.cpu ?? "unknown processor"}, ${e.cores} cores, ${e.platform}`;
  const settings = `${options.dtype}, ${options.threads} thread${options.threads === 1 ? "" : "s"}`;
  return `${machine}\n${versions.join(", ")}\n${settings}`;
}

function renderContenders(contenders: readonly ContenderReport[]): string {
  const width = Math.max(...contenders.map(({ name }) => name.length));
  return contenders.map((c) => `  ${c.name.padEnd(width)}  ${describeContender(c)}`).join("\n");
}

function describeContender({ status, info, reason, hint }: ContenderReport): string {
  if (status === "unavailable" || !info) {
    return `unavailable: ${reason ?? "no reason given"}${hint === undefined ? "" : ` (${hint})`}`;
  }
  const { runtime, device, features, threads, notes = [] } = info;
  const parts = [`${runtime} on ${device}`, ...features];
  if (threads > 1) parts.push(`${threads} threads`);
  return [parts.join(", "), ...notes].join("; ");
}

function renderCeiling({ arithmetic, readGBps, threads }: CeilingReport): string {
  const rates = arithmetic.map(
    ({ features, gflops }) => `${formatNumber(gflops)} GFLOP/s (${features})`,
  );
  return `ceiling of wasm on ${threads} thread${threads === 1 ? "" : "s"}: ${rates.join(", ")}, read ${formatNumber(readGBps)} GB/s`;
}

const numbers = ["error", "median ms", "p25–p75", "n", "GFLOP/s"] as const;

function renderCases({ cases, ceiling }: BenchReport): string {
  const head = [
    "case",
    "backend",
    ...numbers,
    ...(ceiling ? ["of ceiling"] : []),
    "workspace",
    "inputs",
    "× first",
  ];
  const table = new Table({
    head,
    style: { head: [], border: [], compact: true, "padding-left": 1, "padding-right": 1 },
    colAligns: head.map((_, i) => (i < 2 || i === head.length - 2 ? "left" : "right")),
    // Beside the names, a sentence takes the place of all the numbers.
    wordWrap: true,
  });
  for (const report of cases) {
    report.results.forEach((result, i) => {
      const name = i === 0 ? report.id : "";
      const cells = renderResult(report, result, ceiling ?? null);
      table.push(
        typeof cells === "string"
          ? [name, result.contender, { colSpan: head.length - 2, content: cells, hAlign: "left" }]
          : [name, result.contender, ...cells],
      );
    });
  }
  return table.toString();
}

/** The cells right of the names, or a sentence across all of them. */
function renderResult(
  report: CaseReport,
  result: CaseResult,
  ceiling: CeilingReport | null,
): string[] | string {
  switch (result.status) {
    case "measured":
      return renderMeasured(report, result, ceiling);
    case "wrong":
      return wrap(`WRONG, error ${renderError(result.errorInBudgets)}: ${result.message}`);
    case "refused":
      return wrap(`refuses: ${result.reasons.map(({ message }) => message).join("; ")}`);
    case "failed":
      return wrap(`FAILED: ${result.message}`);
  }
}

function renderMeasured(
  report: CaseReport,
  result: Measured,
  ceiling: CeilingReport | null,
): string[] {
  const { timing, workspaceBytes, ratio } = result;
  const fraction = ceiling && ceilingFraction(report, result, ceiling);
  return [
    renderError(result.errorInBudgets),
    formatNumber(timing.median),
    `${formatNumber(timing.p25)}–${formatNumber(timing.p75)}`,
    String(timing.count),
    formatNumber(report.flops / timing.median / 1e6),
    ...(fraction
      ? [`${(100 * fraction.fraction).toFixed(0)} %${fraction.limit === "memory" ? " ᵐ" : ""}`]
      : []),
    workspaceBytes === null ? "?" : formatBytes(workspaceBytes),
    result.inputs,
    ratio ? `${formatNumber(ratio.median)}` : "1",
  ];
}

function renderError(errorInBudgets: number | null): string {
  if (errorInBudgets === null) return "not a number";
  if (errorInBudgets > 0 && errorInBudgets < 0.01) return "<0.01";
  return errorInBudgets >= 1e6 ? errorInBudgets.toExponential(1) : errorInBudgets.toFixed(2);
}

/** A table cell would stretch to its longest line. */
function wrap(text: string, width = 76): string {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${line} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines.join("\n");
}

function renderLegend({ ceiling, options }: BenchReport): string {
  const lines = [
    "error: the worst row against float64, in units of what is tolerated (1). n: timed calls.",
    "inputs: resident in the backend's memory before the clock starts, or JavaScript arrays (host).",
    `× first: how many times as fast as the case's first, by paired rounds. Budget ${options.budget} ms each.`,
  ];
  if (ceiling) {
    lines.push(
      "of ceiling: of the multiply-add rate, or of the streaming read (ᵐ) where that binds.",
    );
  }
  return lines.join("\n");
}
