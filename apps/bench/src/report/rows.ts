import type { InputPlacement } from "../contenders/contender.js";
import { type CeilingFraction, ceilingFraction } from "./fraction.js";
import type {
  BenchReport,
  CaseReport,
  CaseResult,
  Clock,
  Environment,
  Measured,
  Wrong,
} from "./report.js";
import { timedOf } from "./timed.js";

/** One contender on one case, flat: a row of a table, whatever it is written in. */
export interface Row {
  readonly report: CaseReport;
  readonly result: CaseResult;
  /** The environment that the contender ran in. */
  readonly environment: Environment;
  /** Numbers to show; null if the result was not timed. A wrong result's must be marked as wrong. */
  readonly shown: RowNumbers | null;
  /** The same numbers, but null for a wrong result, which must not be ranked. */
  readonly numbers: RowNumbers | null;
  /** In words, where numbers alone would not say it: why it was refused, what was wrong. */
  readonly note: string | null;
}

export interface RowNumbers {
  /** Whether it computed something wrong. */
  readonly wrong: boolean;
  readonly errorInBudgets: number | null;
  /** ms by the wall clock. */
  readonly median: number;
  readonly p25: number;
  readonly p75: number;
  readonly count: number;
  readonly outliers: number;
  /** Number of calls that each sample is the mean of. */
  readonly callsPerSample: number;
  /** ms by the device's own timestamps, or null. */
  readonly deviceMedian: number | null;
  readonly clock: Clock;
  /** ms of the median that are the copying of the output into a new array, or null. */
  readonly readMedian: number | null;
  /** ms of `attention.run` by where its inputs lie; null where it was not called so. */
  readonly attention: { readonly host: number | null; readonly resident: number | null };
  readonly gflops: number;
  readonly gbps: number;
  /** Tokens a second, or null where a call computes none. */
  readonly tokensPerSecond: number | null;
  /** Bytes of keys and values that are held between calls, or null. */
  readonly cacheBytes: number | null;
  /** Share of the call's tiles in which no query sees any key, or null where nothing is hidden. */
  readonly tilesSkipped: number | null;
  /** Null without a ceiling, and where nobody counts the work. */
  readonly fraction: CeilingFraction | null;
  readonly workspaceBytes: number | null;
  readonly peakBytes: number | null;
  /** Which memory that is, or why it cannot be told. */
  readonly peakOf: string;
  /** The kernel that ran, as its plan names it. */
  readonly kernel: string;
  readonly inputs: InputPlacement;
  readonly planMs: number;
  readonly placeMs: number;
  readonly firstCallMs: number;
  /**
   * Speed relative to the case's first correct result (2: twice as fast), and whether it comes from
   * paired rounds; null for that result itself, and where there is none.
   */
  readonly ratio: { readonly value: number; readonly paired: boolean } | null;
}

/** Every case's results in order. */
export function rowsOf(report: BenchReport): Row[] {
  const environments = new Map(report.environments.map((e) => [e.name, e]));
  const environmentOf = new Map(
    report.contenders.map((c) => [c.name, environments.get(c.environment)]),
  );
  const [fallback] = report.environments as readonly [Environment];
  return report.cases.flatMap((c) => {
    const first = c.results.find((result) => result.status === "measured");
    return c.results.map((result) => {
      const environment = environmentOf.get(result.contender) ?? fallback;
      const shown =
        result.status === "measured" || result.status === "wrong"
          ? numbersOf(c, result, environment, first)
          : null;
      const numbers = shown?.wrong ? null : shown;
      return { report: c, result, environment, shown, numbers, note: noteOf(result) };
    });
  });
}

function numbersOf(
  report: CaseReport,
  result: Measured | Wrong,
  environment: Environment,
  first: Measured | undefined,
): RowNumbers | null {
  const timed = timedOf(result);
  if (timed === null) return null;
  const { timing, ratio } = timed;
  return {
    wrong: result.status === "wrong",
    errorInBudgets: result.errorInBudgets,
    median: timing.median,
    p25: timing.p25,
    p75: timing.p75,
    count: timing.count,
    outliers: timing.outliers,
    callsPerSample: timed.launches[0]?.callsPerSample ?? 1,
    deviceMedian: timed.deviceTiming?.median ?? null,
    clock: timed.deviceTiming ? "gpu timestamps" : "wall clock",
    readMedian: timed.readTiming?.median ?? null,
    attention: {
      host: timed.attention?.host.median ?? null,
      resident: timed.attention?.resident?.median ?? null,
    },
    gflops: report.flops / timing.median / 1e6,
    gbps: report.bytes / timing.median / 1e6,
    tokensPerSecond: report.tokens === undefined ? null : (1000 * report.tokens) / timing.median,
    cacheBytes: result.cacheBytes ?? null,
    tilesSkipped: report.tiles?.skipped ?? null,
    fraction:
      environment.ceiling && report.flops > 0
        ? ceilingFraction(report, timed, environment.ceiling)
        : null,
    workspaceBytes: result.workspaceBytes,
    peakBytes: result.peakBytes,
    peakOf: result.peakOf ?? "the file does not say",
    kernel: result.kernel,
    inputs: result.inputs,
    planMs: result.planMs,
    placeMs: result.placeMs,
    firstCallMs: result.firstCallMs,
    ratio: ratio
      ? { value: ratio.median, paired: true }
      : !first || result === first
        ? null
        : { value: first.timing.median / timing.median, paired: false },
  };
}

/** Remarks beside the numbers: why it was refused, what was wrong; null if there is nothing. */
export function noteOf(result: CaseResult): string | null {
  switch (result.status) {
    case "measured":
      return null;
    case "wrong":
      return `WRONG, error ${formatError(result.errorInBudgets)}: ${result.message}`;
    case "refused":
      return `refuses: ${result.reasons.map(({ message }) => message).join("; ")}`;
    case "failed":
      return `FAILED: ${result.message}`;
  }
}

/** An error in budgets, where 1 is all that is tolerated. */
export function formatError(errorInBudgets: number | null): string {
  if (errorInBudgets === null) return "not a number";
  if (errorInBudgets > 0 && errorInBudgets < 0.01) return "<0.01";
  return errorInBudgets >= 1e6 ? errorInBudgets.toExponential(1) : errorInBudgets.toFixed(2);
}
