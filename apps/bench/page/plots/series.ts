import * as Plot from "@observablehq/plot";
import type { Crossover, SeriesCurves, SeriesPoint } from "../../src/plots/series.js";
import { formatNumber } from "../../src/report/format.js";
import { type Canvas, type Drawing, lookScales } from "./look.js";

/** Quantity on the vertical axis: time of a call, or throughput. */
export type SeriesQuantity = "ms" | "gflops";

export const quantityLabels: Readonly<Record<SeriesQuantity, string>> = {
  ms: "time of a call, ms",
  gflops: "throughput, GFLOP/s",
};

/** Height of the label of a crossing of two curves, in pixels. */
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
  const placed = crossings.map((crossing) => placeLabel(crossing, sizes, width));
  return Plot.plot({
    width,
    height: Math.max(280, Math.min(460, width * 0.6)),
    marginLeft: margins.left,
    marginBottom: 40,
    marginTop: 28 + labelHeight * crossings.length,
    marginRight: margins.right,
    grid: true,
    x: {
      type: "log",
      base: 2,
      label: axis,
      ticks: ticksFor(sizes, width),
      tickFormat: formatSize,
    },
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
      // Labels are stacked, so that none covers another.
      ...placed.map(({ crossing, text, anchor }, i) =>
        Plot.text([crossing], {
          x: "at",
          frameAnchor: "top",
          dy: -12 - labelHeight * i,
          textAnchor: anchor,
          text: () => text,
          fill: "currentColor",
          fontWeight: 600,
        }),
      ),
    ],
  });
}

const margins = { left: 52, right: 16 };
/** Approximate width of a bold character at a font size of 12 pixels, in pixels. */
const characterWidth = 7;

/**
 * The label of a crossing, on the side of its line that has room for it; where neither has, as on a phone,
 * the size alone. What crosses stands in the caption as well.
 */
function placeLabel(
  crossing: Crossover,
  sizes: readonly number[],
  width: number,
): { crossing: Crossover; text: string; anchor: "start" | "middle" | "end" } {
  const [low, high] = [Math.log(Math.min(...sizes)), Math.log(Math.max(...sizes))];
  const inner = width - margins.left - margins.right;
  const x = margins.left + (inner * (Math.log(crossing.at) - low)) / (high - low);
  const size = `${Math.round(crossing.at)}`;
  const text = `${crossing.from} → ${crossing.to}, ${size}`;
  const needed = characterWidth * text.length;
  if (x + needed <= width) return { crossing, text, anchor: "start" };
  if (x - needed >= 0) return { crossing, text, anchor: "end" };
  return { crossing, text: size, anchor: "middle" };
}

/** Pixels that a size's tick needs. */
const tickWidth = 44;

/** Ticks of the size axis: as many of the sizes as there is room for, including the smallest. */
function ticksFor(sizes: readonly number[], width: number): readonly number[] {
  const step = Math.ceil((sizes.length * tickWidth) / width);
  return [...sizes].sort((a, b) => a - b).filter((_, i) => i % step === 0);
}

/** Formats a size for a tick; large multiples of 1024 are written as Ki. */
function formatSize(size: number): string {
  return size >= 8192 && size % 1024 === 0 ? `${size / 1024}Ki` : `${size}`;
}

/** Formats a number with no more digits than a tick needs. */
export function formatTick(value: number): string {
  if (value >= 1e4) return `${Number((value / 1000).toPrecision(3))}k`;
  return value >= 1 ? `${value}` : `${Number(value.toPrecision(2))}`;
}
