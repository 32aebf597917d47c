import * as Plot from "@observablehq/plot";
import { formatNumber } from "../../src/report/format.js";
import type { Row } from "../../src/report/rows.js";
import { type Canvas, type Drawing, lookScales } from "./look.js";
import { formatTick } from "./series.js";

/** The quantities that the overview can plot for each case. */
export type OverviewQuantity = "slower" | "ms" | "gflops";

export const overviewLabels: Readonly<Record<OverviewQuantity, string>> = {
  slower: "times as long as the fastest",
  ms: "time of a call, ms",
  gflops: "throughput, GFLOP/s",
};

interface Point {
  readonly case: string;
  readonly contender: string;
  readonly slower: number;
  readonly ms: number;
  readonly gflops: number;
}

const rowHeight = 34;

/** Every case as a line, every contender as a dot on it. */
export function overviewPlot(
  rows: readonly Row[],
  quantity: OverviewQuantity,
  { width, looks, shown }: Canvas,
): Drawing {
  // Zero is where nobody counts the work, and has no place on a logarithmic axis.
  const points = pointsOf(rows.filter(({ result }) => shown(result.contender))).filter(
    (point) => point[quantity] > 0,
  );
  const cases = [...new Set(points.map((point) => point.case))];
  const values = points.map((point) => point[quantity]);
  return Plot.plot({
    width,
    height: 50 + cases.length * rowHeight,
    marginLeft: 10,
    marginRight: 18,
    marginTop: 16,
    marginBottom: 40,
    x: {
      type: "log",
      // Room for the outermost dots. There are none if all are hidden.
      ...(values.length > 0 && {
        domain: [Math.min(...values) / 1.1, Math.max(...values) * 1.1],
      }),
      grid: true,
      label: overviewLabels[quantity],
      ticks: 6,
      tickFormat: formatTick,
    },
    y: { domain: cases, axis: null },
    ...lookScales(looks),
    marks: [
      Plot.ruleY(
        points,
        Plot.groupY(
          { x1: "min", x2: "max" },
          { y: "case", x1: quantity, x2: quantity, dy: 4, strokeOpacity: 0.35, strokeWidth: 2 },
        ),
      ),
      // Above its line, so that narrow screens have all their width for the dots.
      Plot.text(cases, {
        y: (id: string) => id,
        text: (id: string) => id,
        frameAnchor: "left",
        textAnchor: "start",
        dy: -12,
        fill: "currentColor",
        fillOpacity: 0.85,
      }),
      Plot.dot(points, {
        x: quantity,
        y: "case",
        dy: 4,
        stroke: "contender",
        fill: "contender",
        symbol: "contender",
        r: 4.5,
        title: (p: Point) =>
          `${p.contender}, ${p.case}\n${formatNumber(p.ms)} ms${p.gflops > 0 ? `, ${formatNumber(p.gflops)} GFLOP/s` : ""}\n${formatNumber(p.slower)} × the fastest's time`,
        tip: true,
      }),
    ],
  });
}

function pointsOf(rows: readonly Row[]): Point[] {
  const fastest = new Map<string, number>();
  for (const { report, numbers } of rows) {
    if (!numbers) continue;
    fastest.set(
      report.id,
      Math.min(numbers.median, fastest.get(report.id) ?? Number.POSITIVE_INFINITY),
    );
  }
  return rows.flatMap(({ report, result, numbers }) =>
    numbers
      ? [
          {
            case: report.id,
            contender: result.contender,
            slower: numbers.median / (fastest.get(report.id) ?? numbers.median),
            ms: numbers.median,
            gflops: numbers.gflops,
          },
        ]
      : [],
  );
}
