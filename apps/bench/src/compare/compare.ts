import { median } from "simple-statistics";
import { describeMachine, describeVersions } from "../report/describe.js";
import type { BenchReport, CaseReport, Measured } from "../report/report.js";
import type { LaunchSamples } from "../statistics.js";
import { holm } from "./holm.js";
import { type Interval, type Middle, trimmedMean, welch } from "./t-test.js";

/** The change in one contender's time on one case between two runs. */
export interface CaseComparison {
  readonly case: string;
  readonly contender: string;
  /** Medians in ms. */
  readonly before: number;
  readonly after: number;
  /** Time after over time before, both in units of the yardstick: 1.2 takes 20 % longer. */
  readonly change: number;
  /**
   * How likely launches of the same differ so much, corrected for the number of comparisons; null
   * where there are too few launches to say.
   */
  readonly p: number | null;
  /** Holds the true change in 95 of 100 cases, taken for itself; null as `p`. */
  readonly interval: Interval | null;
  readonly verdict: Verdict;
}

/**
 * `slower` and `faster` are signal: more than the threshold, and more than chance explains. `same` is
 * noise. `unsure` is a difference that would matter if it were real, and may be chance.
 */
export type Verdict = "slower" | "faster" | "same" | "unsure";

/** The change in one contender's time over all cases between two runs. */
export interface ContenderComparison {
  readonly contender: string;
  readonly cases: number;
  /** Geometric mean of the cases' changes, without a fifth of them at either end. */
  readonly change: number;
  /** As in {@link CaseComparison}, but tested over the cases' changes. */
  readonly p: number | null;
  readonly interval: Interval | null;
  readonly verdict: Verdict;
}

export interface Comparison {
  /** How the runs differ beside what was measured, e.g. another machine. */
  readonly caveats: readonly string[];
  /** Time that the yardstick took after, over before: how the machine itself changed. */
  readonly machine: number;
  /** The smaller number of launches of the two runs. */
  readonly launches: number;
  readonly contenders: readonly ContenderComparison[];
  readonly cases: readonly CaseComparison[];
  /** `case contender` that only one of the runs measured. */
  readonly unmatched: readonly string[];
}

export interface CompareOptions {
  /** Changes up to this are noise, whatever the test says: 0.1 is 10 %. */
  readonly threshold: number;
}

export const defaultThreshold = 0.1;

/** Launches of each run from which a single case's change can be told from chance. */
export const fewestLaunches = 3;
/** Cases from which a contender's change can be told from chance. */
export const fewestCases = 4;
/** Chance of any false alarm among all comparisons. */
const significance = 0.01;

/**
 * Compares two runs.
 *
 * Each round is divided by the yardstick that was measured beside it, so that a machine that was
 * slower for a while, or altogether, does not look like a slower backend. What is left is mostly
 * chance that each process meets once: how its code is laid out and compiled, which no number of
 * rounds averages out (Kalibera and Jones, 2013). So rounds are not what is tested. A case's change
 * is tested over launches (Welch), a contender's over its cases (Yuen), where each has met its own
 * chance; both on logarithms, and with Holm's correction for there being many.
 */
export function compareReports(
  before: BenchReport,
  after: BenchReport,
  { threshold }: CompareOptions = { threshold: defaultThreshold },
): Comparison {
  const pairs = pairUp(before, after).map((pair) => ({ ...pair, ...changeOf(pair) }));
  const yardsticks = (report: BenchReport) =>
    measuredOf(report).flatMap(({ result }) => result.launches.flatMap((l) => l.yardstick));
  return {
    caveats: caveatsOf(before, after),
    machine: pairs.length === 0 ? 1 : median(yardsticks(after)) / median(yardsticks(before)),
    launches: Math.min(
      ...pairs.flatMap(({ old, now }) => [old.launches.length, now.launches.length]),
    ),
    contenders: compareContenders(pairs, threshold),
    cases: compareCases(pairs, threshold),
    unmatched: unmatchedOf(before, after, pairs),
  };
}

/** The same contender on the same problem in both runs. */
interface Pair {
  readonly case: string;
  readonly contender: string;
  readonly old: Measured;
  readonly now: Measured;
}

interface Changed extends Pair {
  /** Logarithm of the change. */
  readonly log: number;
  /** Before the correction for the number of comparisons. */
  readonly p: number | null;
  /** Confidence interval of the logarithm. */
  readonly interval: Interval | null;
}

function pairUp(before: BenchReport, after: BenchReport): Pair[] {
  const old = new Map(measuredOf(before).map((m) => [keyOf(m), m]));
  return measuredOf(after).flatMap((m) => {
    const earlier = old.get(keyOf(m));
    if (!earlier) return [];
    const { report, result } = m;
    return [{ case: report.id, contender: result.contender, old: earlier.result, now: result }];
  });
}

interface MeasuredCase {
  readonly report: CaseReport;
  readonly result: Measured;
}

function measuredOf({ cases }: BenchReport): MeasuredCase[] {
  return cases.flatMap((report) =>
    report.results.flatMap((result) => (result.status === "measured" ? [{ report, result }] : [])),
  );
}

/** The problem is part of it: a case whose sizes changed is another one. */
function keyOf({ report, result }: MeasuredCase): string {
  return `${report.id} ${result.contender} ${report.problem}`;
}

function changeOf({ old, now }: Pair): Pick<Changed, "log" | "p" | "interval"> {
  const [a, b] = [old, now].map(({ launches }) => launches.map(launchLog)) as [number[], number[]];
  const enough = Math.min(a.length, b.length) >= fewestLaunches;
  const { p = null, interval = null } = (enough && welch(a, b)) || {};
  return { log: median(b) - median(a), p, interval };
}

/** Logarithm of what a launch found, in units of the yardstick. */
function launchLog({ rounds, yardstick }: LaunchSamples): number {
  return median(
    rounds.map((samples, i) => Math.log(median([...samples]) / (yardstick[i] as number))),
  );
}

function compareCases(pairs: readonly Changed[], threshold: number): CaseComparison[] {
  const corrected = holm(pairs.map(({ p }) => p));
  return pairs.map(({ case: id, contender, old, now, log, interval }, i) => {
    const p = corrected[i] ?? null;
    return {
      case: id,
      contender,
      before: old.timing.median,
      after: now.timing.median,
      change: Math.exp(log),
      p,
      interval: asFactors(interval),
      verdict: verdict(log, p, threshold),
    };
  });
}

function compareContenders(pairs: readonly Changed[], threshold: number): ContenderComparison[] {
  const names = [...new Set(pairs.map(({ contender }) => contender))];
  const changes = names.map((name) =>
    pairs.filter(({ contender }) => contender === name).map(({ log }) => log),
  );
  const middles = changes.map(trimmedMean);
  const corrected = holm(
    middles.map(({ p }, i) => ((changes[i]?.length ?? 0) < fewestCases ? null : p)),
  );
  return names.map((contender, i) => {
    const logs = changes[i] as number[];
    const { value: log, interval } = middles[i] as Middle;
    const p = corrected[i] ?? null;
    return {
      contender,
      cases: logs.length,
      change: Math.exp(log),
      p,
      interval: p === null ? null : asFactors(interval),
      verdict: verdict(log, p, threshold),
    };
  });
}

function asFactors(interval: Interval | null): Interval | null {
  return interval && [Math.exp(interval[0]), Math.exp(interval[1])];
}

function verdict(log: number, p: number | null, threshold: number): Verdict {
  if (Math.abs(log) <= Math.log1p(threshold)) return "same";
  if (p === null || p > significance) return "unsure";
  return log > 0 ? "slower" : "faster";
}

function caveatsOf(before: BenchReport, after: BenchReport): string[] {
  const caveats: string[] = [];
  const compare = (what: string, old: string, now: string) => {
    if (old !== now) caveats.push(`${what} was ${old}, and is ${now}`);
  };
  for (const now of after.environments) {
    const old = before.environments.find(({ name }) => name === now.name);
    if (!old) continue;
    compare(`${now.name}: the machine`, describeMachine(old), describeMachine(now));
    compare(`${now.name}: the version`, describeVersions(old), describeVersions(now));
  }

  const runtimes = ({ environments }: BenchReport) =>
    environments.map((e) => `${e.name} (${describeVersions(e)})`).join(" and ");
  const names = ({ environments }: BenchReport) => String(environments.map(({ name }) => name));
  if (names(before) !== names(after)) compare("the runtime", runtimes(before), runtimes(after));
  compare("the dtype", before.options.dtype, after.options.dtype);
  compare("the number of threads", `${before.options.threads}`, `${after.options.threads}`);
  return caveats;
}

function unmatchedOf(before: BenchReport, after: BenchReport, pairs: readonly Pair[]): string[] {
  const matched = new Set(pairs.map((pair) => `${pair.case} ${pair.contender}`));
  const names = [...measuredOf(before), ...measuredOf(after)].map(
    ({ report, result }) => `${report.id} ${result.contender}`,
  );
  return [...new Set(names)].filter((name) => !matched.has(name));
}
