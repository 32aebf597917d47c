import { median } from "simple-statistics";
import { pairedRatio } from "../statistics.js";
import type { BenchReport, CaseReport, CaseResult, Measured, Timed } from "./report.js";
import { summarizeLaunches, timedOf } from "./timed.js";

/**
 * One report out of those of several launches, which measured the same in processes of their own.
 * Samples are put together; what happens once a launch is its median. A result that was not measured
 * in every launch is the worst that it was: wrong once is wrong.
 *
 * @param reports at least one
 */
export function mergeLaunches(reports: readonly BenchReport[]): BenchReport {
  const [first, ...others] = reports as readonly [BenchReport, ...BenchReport[]];
  if (others.length === 0) return first;
  const cases = first.cases.map((report) => {
    const same = reports.flatMap(({ cases }) => cases.filter(({ id }) => id === report.id));
    return mergeCase(report, same);
  });
  return {
    ...first,
    options: { ...first.options, budget: first.options.budget * reports.length },
    cases,
    ...(reports.some(({ interrupted }) => interrupted) && { interrupted: true }),
  };
}

function mergeCase(report: CaseReport, launches: readonly CaseReport[]): CaseReport {
  const results = report.results.map((result) => {
    const all = launches.flatMap((launch) =>
      launch.results.filter(({ contender }) => contender === result.contender),
    );
    const measured = all.filter((one) => one.status === "measured");
    const off = all.find((one) => one.status !== "measured");
    if (off?.status !== "wrong") return off ?? mergeMeasured(measured);
    const { timed: _, ...wrong } = off;
    const timed = all.map(timedOf).filter((one) => one !== null);
    // Launches are paired by their place, so that it takes all of them.
    return timed.length < all.length
      ? wrong
      : { ...wrong, timed: summarizeLaunches(timed.flatMap((one) => one.launches)) };
  });
  return { ...report, results: withRatios(results) };
}

function mergeMeasured(all: readonly Measured[]): Measured {
  const [first] = all as readonly [Measured, ...Measured[]];
  const middle = (value: (one: Measured) => number) => median(all.map(value));
  const greatest = (value: (one: Measured) => number | null) => {
    const known = all.map(value).filter((one) => one !== null);
    return known.length === 0 ? null : Math.max(...known);
  };
  const { ratio: _, ...kept } = first;
  return {
    ...kept,
    errorInBudgets: greatest((one) => one.errorInBudgets),
    planMs: middle((one) => one.planMs),
    placeMs: middle((one) => one.placeMs),
    firstCallMs: middle((one) => one.firstCallMs),
    peakBytes: greatest((one) => one.peakBytes),
    ...summarizeLaunches(all.flatMap((one) => one.launches)),
  };
}

function withRatios(results: readonly CaseResult[]): CaseResult[] {
  const baseline = results.find((result) => result.status === "measured");
  return results.map((result) => {
    if (result === baseline || !baseline) return result;
    if (result.status === "measured") return withRatio(result, baseline);
    if (result.status !== "wrong" || !result.timed) return result;
    return { ...result, timed: withRatio(result.timed, baseline) };
  });
}

function withRatio<T extends Timed>(timed: T, baseline: Timed): T {
  const ratio = pairedRatio(baseline.launches, timed.launches);
  return { ...timed, ...(ratio && { ratio }) };
}
