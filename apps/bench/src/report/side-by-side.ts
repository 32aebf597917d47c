import { formatNumber } from "./format.js";
import { ownName } from "./merge-environments.js";
import type { BenchReport, Environment } from "./report.js";
import { type Row, rowsOf } from "./rows.js";

/** Speeds of the same contenders in several environments, such as a runtime and browsers. */
export interface SideBySide {
  /** Unit of the cells: milliseconds of a call where a case counts no operations, and GFLOP/s otherwise. */
  readonly unit: "GFLOP/s" | "ms";
  readonly environments: readonly Environment[];
  /** A line for each case and contender, in the order of the report. */
  readonly lines: readonly SpeedLine[];
}

/** One contender on one case. */
export interface SpeedLine {
  /** The case's id. */
  readonly id: string;
  /** The contender's name without its environment's. */
  readonly contender: string;
  /** A cell for each environment: the speed, why there is none in one word, or "–" where it was not tried. */
  readonly cells: readonly string[];
}

/**
 * A column for each environment of a report.
 *
 * @returns null where the report has only one
 */
export function sideBySide(report: BenchReport): SideBySide | null {
  const { environments } = report;
  if (environments.length < 2) return null;
  const unit = report.cases.every(({ flops }) => flops > 0) ? "GFLOP/s" : "ms";
  const lines = new Map<string, { id: string; contender: string; cells: string[] }>();
  for (const row of rowsOf(report)) {
    const { id } = row.report;
    const contender = ownName(row.result.contender, row.environment);
    const key = JSON.stringify([id, contender]);
    const line = lines.get(key) ?? { id, contender, cells: environments.map(() => "–") };
    lines.set(key, line);
    line.cells[environments.indexOf(row.environment)] = cellOf(row, unit);
  }
  return { unit, environments, lines: [...lines.values()] };
}

function cellOf({ numbers, result }: Row, unit: SideBySide["unit"]): string {
  if (numbers === null) return result.status === "wrong" ? "WRONG" : result.status;
  return formatNumber(unit === "ms" ? numbers.median : numbers.gflops);
}
