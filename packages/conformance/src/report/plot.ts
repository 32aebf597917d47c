import { bin, max } from "d3-array";
import { scaleLinear, scaleLog } from "d3-scale";
import type { ConformanceReport } from "./report.js";

const size = { width: 420, height: 120, left: 34, right: 22, top: 8, bottom: 24 } as const;

/** Errors below that are shown as that: most are exact. */
const smallest = 1e-4;
const largest = 1e3;

/**
 * How far from what is allowed a backend's errors are: a histogram of the cases' largest errors in
 * budgets, on a logarithmic axis, as an SVG of its own.
 */
export function budgetsPlot(report: ConformanceReport): string {
  const errors = report.results
    .map(({ budgets }) => budgets)
    .filter((budgets) => budgets !== null)
    .map((budgets) => Math.min(largest, Math.max(smallest, budgets)));
  const x = scaleLog([smallest, largest], [size.left, size.width - size.right]);
  const steps = Array.from({ length: 29 }, (_, i) => smallest * 10 ** (i / 4));
  const bins = bin().domain([smallest, largest]).thresholds(steps)(errors);
  const most = max(bins, (b) => b.length) ?? 1;
  const y = scaleLinear([0, Math.max(1, most)], [size.height - size.bottom, size.top]);
  const bars = bins
    .filter((b) => b.length > 0)
    .map((b) => {
      const [from, to] = [x(b.x0 as number), Math.max(x(b.x1 as number), x(b.x0 as number) + 2)];
      const top = y(b.length);
      const kind = (b.x0 as number) >= 1 ? "over" : "within";
      return `<rect class="${kind}" x="${round(from)}" y="${round(top)}" width="${round(to - from - 1)}" height="${round(y(0) - top)}"><title>${b.length} cases between ${label(b.x0 as number)} and ${label(b.x1 as number)} budgets</title></rect>`;
    });
  const ticks = [smallest, 1e-3, 1e-2, 0.1, 1, 10, 100, largest].map(
    (tick) =>
      `<text x="${round(x(tick))}" y="${size.height - 8}" text-anchor="middle">${tick === smallest ? "≤ " : tick === largest ? "≥ " : ""}${label(tick)}</text>`,
  );
  const line = `<line class="limit" x1="${round(x(1))}" x2="${round(x(1))}" y1="${size.top}" y2="${size.height - size.bottom}"/>`;
  const counts = y
    .ticks(3)
    .filter(Number.isInteger)
    .map(
      (tick) =>
        `<text x="${size.left - 4}" y="${round(y(tick)) + 3}" text-anchor="end">${tick}</text>`,
    );
  return `<svg viewBox="0 0 ${size.width} ${size.height}" width="${size.width}" height="${size.height}" role="img" aria-label="Histogram of errors in budgets">${[...bars, line, ...ticks, ...counts].join("")}</svg>`;
}

function round(x: number): number {
  return Math.round(x * 10) / 10;
}

function label(budgets: number): string {
  return budgets < 0.01 ? budgets.toExponential(0) : `${Number(budgets.toPrecision(2))}`;
}
