import * as Plot from "@observablehq/plot";
import type { SeriesCurves, SeriesPoint } from "../../src/plots/series.js";
import { formatNumber } from "../../src/report/format.js";
import { type Canvas, type Drawing, lookScales } from "./look.js";

/** What a curve can show. */
export type SeriesQuantity = "ms" | "gflops";

export const quantityLabels: Readonly<Record<SeriesQuantity, string>> = {
  ms: "time of a call, ms",
  gflops: "throughput, GFLOP/s",
};

/** Of a line that says where two cross. */
const labelHeight = 15;

/** Curves over the size that varies, on logarithmic axes, with the points where the winner changes. */
export function seriesPlot(
  { axis, points, crossovers }: SeriesCurves,
  quantity: SeriesQuantity,
  { width, looks, shown }: Canvas,
): Drawing {
  const visible = points.filter(({ contender }) => shown(contender));
  const crossings = crossovers.filter(({ from, to }) => shown(from) && shown(to));
  const sizes = [...new Set(points.map(({ at }) => at))];
  const middle = Math.sqrt(Math.min(...sizes) * Math.max(...sizes));
  return Plot.plot({
    width,
    height: Math.max(280, Math.min(460, width * 0.6)),
    marginLeft: 52,
    marginBottom: 40,
    marginTop: 28 + labelHeight * crossings.length,
    marginRight: 16,
    grid: true,
    x: { type: "log", base: 2, label: axis, ticks: sizes, tickFormat: (size: number) => `${size}` },
    y: { type: "log", label: quantityLabels[quantity], ticks: 6, tickFormat: formatTick },
    ...lookScales(looks),
    marks: [
      Plot.ruleX(crossings, {
        x: "at",
        stroke: "currentColor",
        strokeDasharray: "3 3",
        strokeOpacity: 0.6,
      }),
      quantity === "ms"
        ? Plot.link(visible, {
            x1: "at",
            x2: "at",
            y1: "p25",
            y2: "p75",
            stroke: "contender",
            strokeWidth: 5,
            strokeOpacity: 0.3,
          })
        : null,
      Plot.line(visible, { x: "at", y: quantity, stroke: "contender", strokeWidth: 2 }),
      Plot.dot(visible, {
        x: "at",
        y: quantity,
        stroke: "contender",
        fill: "contender",
        symbol: "contender",
        r: 4,
        title: (point: SeriesPoint) =>
          `${point.contender}, ${axis} ${point.at}\n${formatNumber(point.ms)} ms, ${formatNumber(point.gflops)} GFLOP/s`,
        tip: true,
      }),
      // One above another, each away from the nearer side: none is cut off or covers the next.
      ...crossings.map((crossing, i) =>
        Plot.text([crossing], {
          x: "at",
          frameAnchor: "top",
          dy: -12 - labelHeight * i,
          textAnchor: crossing.at > middle ? "end" : "start",
          text: ({ from, to, at }: typeof crossing) => `${from} → ${to}, ${Math.round(at)}`,
          fill: "currentColor",
          fontWeight: 600,
        }),
      ),
    ],
  });
}

/** No more digits than a tick needs. */
export function formatTick(value: number): string {
  return value >= 1 ? `${value}` : `${Number(value.toPrecision(2))}`;
}
