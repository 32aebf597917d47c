import * as Plot from "@observablehq/plot";
import { type Roofline, type RooflinePoint, roofAt } from "../../src/plots/roofline.js";
import { formatNumber } from "../../src/report/format.js";
import { type Canvas, type Drawing, lookScales } from "./look.js";
import { formatTick } from "./series.js";

/** Height of a line of text that names a roof, in pixels. */
const labelHeight = 15;

/** Throughput over operations a byte, under what the machine can do at best. */
export function rooflinePlot(
  { points, roofs }: Roofline,
  { width, looks, shown }: Canvas,
): Drawing {
  const visible = points.filter(({ contender }) => shown(contender));
  const [left, right] = rangeOf(points.map(({ intensity }) => intensity));
  const lines = roofs.flatMap((roof) =>
    [left, Math.min(right, Math.max(left, roof.gflops / roof.gbps)), right].map((intensity) => ({
      environment: roof.environment,
      intensity,
      gflops: roofAt(roof, intensity),
    })),
  );
  const heights = rangeOf([...points, ...lines].map(({ gflops }) => gflops));
  // Above the frame, where no point can lie beneath them.
  const labels = roofs.map((roof) => ({
    text: `${roof.environment}: ${formatNumber(roof.gflops)} GFLOP/s, ${formatNumber(roof.gbps)} GB/s`,
  }));
  return Plot.plot({
    width,
    height: Math.max(300, Math.min(480, width * 0.62)),
    marginLeft: 52,
    marginBottom: 40,
    marginTop: 36 + labelHeight * labels.length,
    marginRight: 16,
    grid: true,
    x: {
      type: "log",
      domain: [left, right],
      label: "operations a byte",
      ticks: 5,
      tickFormat: formatTick,
    },
    y: { type: "log", domain: heights, label: "GFLOP/s", ticks: 6, tickFormat: formatTick },
    ...lookScales(looks),
    marks: [
      Plot.line(lines, {
        x: "intensity",
        y: "gflops",
        z: "environment",
        stroke: "currentColor",
        strokeWidth: 2,
        strokeOpacity: 0.7,
      }),
      ...labels.map(({ text }, i) =>
        Plot.text([text], {
          frameAnchor: "top-right",
          dy: -12 - labelHeight * i,
          text: (label: string) => label,
          fill: "currentColor",
        }),
      ),
      Plot.dot(visible, {
        x: "intensity",
        y: "gflops",
        stroke: "contender",
        symbol: "contender",
        strokeWidth: 1.8,
        r: 4,
        title: ({ contender, case: id, gflops, fraction }: RooflinePoint) =>
          `${contender}, ${id}\n${formatNumber(gflops)} GFLOP/s${fraction === null ? "" : `, ${(100 * fraction).toFixed(0)} % of the limit`}`,
        tip: true,
      }),
    ],
  });
}

/** A little wider than the values. */
function rangeOf(values: readonly number[]): [number, number] {
  return [Math.min(...values) / 1.5, Math.max(...values) * 1.5];
}
