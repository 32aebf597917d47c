import * as Plot from "@observablehq/plot";
import type { Row } from "../../src/report/rows.js";
import { formatError } from "../../src/report/rows.js";
import { type Canvas, type Drawing, lookScales } from "./look.js";
import { formatTick } from "./series.js";

interface Point {
  readonly contender: string;
  readonly case: string;
  readonly error: number;
  readonly wrong: boolean;
}

/** Errors below this are drawn at it: logarithmic axes have no zero. */
const least = 1e-3;

/** Every result's error in budgets: 1 is all that is tolerated. */
export function errorPlot(rows: readonly Row[], { width, looks, shown }: Canvas): Drawing {
  const points = rows.filter(({ result }) => shown(result.contender)).flatMap(pointOf);
  const names = [...new Set(points.map(({ contender }) => contender))];
  const most = Math.max(2, ...points.map(({ error }) => 1.5 * error));
  return Plot.plot({
    width,
    height: 60 + 32 * names.length,
    marginLeft: 10,
    marginRight: 18,
    marginTop: 18,
    marginBottom: 40,
    x: {
      type: "log",
      domain: [least / 1.2, most],
      grid: true,
      label: "worst row's error, in budgets",
      ticks: 5,
      tickFormat: formatTick,
    },
    y: { domain: names, axis: null },
    ...lookScales(looks),
    marks: [
      Plot.ruleX([1], { stroke: "var(--bad)", strokeWidth: 2 }),
      Plot.text(["tolerated"], {
        x: () => 1,
        frameAnchor: "top",
        dy: -12,
        text: (label: string) => label,
        fill: "var(--bad)",
      }),
      Plot.text(names, {
        y: (name: string) => name,
        text: (name: string) => name,
        frameAnchor: "left",
        textAnchor: "start",
        dy: -9,
        fill: "currentColor",
      }),
      Plot.dot(points, {
        x: "error",
        y: "contender",
        dy: 4,
        stroke: "contender",
        symbol: "contender",
        strokeWidth: 1.8,
        r: (point: Point) => (point.wrong ? 7 : 4),
        title: (point: Point) =>
          `${point.contender}, ${point.case}\nerror ${formatError(point.error)}${point.wrong ? ": WRONG" : ""}`,
        tip: true,
      }),
    ],
    r: { type: "identity" },
  });
}

function pointOf({ report, result }: Row): Point[] {
  if (result.status !== "measured" && result.status !== "wrong") return [];
  const { contender, errorInBudgets } = result;
  const wrong = result.status === "wrong";
  // An error that is not a number counts as the largest one, and is drawn at the edge.
  const error = errorInBudgets === null ? 1e6 : Math.max(least, errorInBudgets);
  return [{ contender, case: report.id, error, wrong }];
}
