import type { BenchReport, CaseReport, Measured } from "../report/report.js";
import type { SeriesAxis } from "../workloads/workload.js";

/** The cases of one series as curves, one a contender. */
export interface SeriesCurves {
  readonly name: string;
  readonly axis: SeriesAxis;
  /** Every contender's points, in the order of the contenders, then of the sizes. */
  readonly points: readonly SeriesPoint[];
  /** Points at which another contender becomes the fastest, by ascending size. */
  readonly crossovers: readonly Crossover[];
}

export interface SeriesPoint {
  readonly contender: string;
  readonly case: string;
  /** The size that varies. */
  readonly at: number;
  /** Median and quartiles. */
  readonly ms: number;
  readonly p25: number;
  readonly p75: number;
  readonly gflops: number;
}

/** A point at which the fastest contender changes. */
export interface Crossover {
  readonly at: number;
  readonly ms: number;
  readonly gflops: number;
  /** The fastest up to here, and the one from here on. */
  readonly from: string;
  readonly to: string;
}

/** The report's series that have a curve to show: two sizes at least. */
export function seriesOf({ cases }: BenchReport): SeriesCurves[] {
  const names = [...new Set(cases.flatMap(({ series }) => series?.name ?? []))];
  return names.flatMap((name) => {
    const own = cases
      .filter(({ series }) => series?.name === name)
      .sort((a, b) => place(a) - place(b));
    const points = own.flatMap((report) => report.results.flatMap((r) => point(report, r)));
    const [first] = own;
    if (!first?.series || new Set(points.map(({ at }) => at)).size < 2) return [];
    const contenders = [...new Set(points.map(({ contender }) => contender))];
    return [
      {
        name,
        axis: first.series.axis,
        points: contenders.flatMap((contender) =>
          points.filter((candidate) => candidate.contender === contender),
        ),
        crossovers: crossoversOf(points),
      },
    ];
  });
}

function place({ series }: CaseReport): number {
  return series?.at ?? 0;
}

function point(report: CaseReport, result: CaseReport["results"][number]): SeriesPoint[] {
  if (result.status !== "measured") return [];
  const { median, p25, p75 } = (result as Measured).timing;
  const gflops = report.flops / median / 1e6;
  return [
    {
      contender: result.contender,
      case: report.id,
      at: place(report),
      ms: median,
      p25,
      p75,
      gflops,
    },
  ];
}

/**
 * Between two neighbouring sizes with different winners, where the winners' own lines cross: both are
 * straight on logarithmic axes, as a cost that grows by a power is.
 */
function crossoversOf(points: readonly SeriesPoint[]): Crossover[] {
  const sizes = [...new Set(points.map(({ at }) => at))].sort((a, b) => a - b);
  const find = (contender: string, at: number) =>
    points.find((candidate) => candidate.contender === contender && candidate.at === at);
  const fastest = (at: number) =>
    points.filter((p) => p.at === at).reduce((best, p) => (p.ms < best.ms ? p : best));
  return sizes.slice(1).flatMap((right, i) => {
    const left = sizes[i] as number;
    const [from, to] = [fastest(left), fastest(right)];
    const [fromLater, toEarlier] = [find(from.contender, right), find(to.contender, left)];
    if (from.contender === to.contender || !fromLater || !toEarlier) return [];
    const before = Math.log(toEarlier.ms / from.ms);
    const after = Math.log(fromLater.ms / to.ms);
    const share = before / (before + after);
    const between = (a: number, b: number) => Math.exp(mix(Math.log(a), Math.log(b), share));
    return [
      {
        at: between(left, right),
        ms: between(from.ms, fromLater.ms),
        gflops: between(from.gflops, fromLater.gflops),
        from: from.contender,
        to: to.contender,
      },
    ];
  });
}

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}
