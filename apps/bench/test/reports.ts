import { Random } from "@heed/conformance";
import type { BenchReport, CaseReport, Measured, Wrong } from "../src/report/report.js";
import { type LaunchSamples, pairedRatio, summarize } from "../src/statistics.js";
import { environment } from "./contenders.js";

/** How a report is made up. */
export interface MadeUp {
  readonly seed: string;
  /** Typical ms of each contender on the first case; each further case takes twice as long. */
  readonly contenders: Readonly<Record<string, number>>;
  readonly cases?: number;
  readonly launches?: number;
  /** Factor of everything, the yardstick included: how slow the machine is. */
  readonly machine?: number;
}

/**
 * A report as a run would give it, with noise like a real machine's: each launch of each case is off
 * by about 5 %, each round by 2 %, the machine drifts by 10 % for a while, and a few samples are far
 * out.
 */
export function madeUp(options: MadeUp): BenchReport {
  const { seed, contenders, cases = 8, launches = 1, machine = 1 } = options;
  const random = new Random(seed);
  const names = Object.keys(contenders);
  const report = (index: number): CaseReport => {
    const samples = names.map((name) =>
      Array.from({ length: launches }, () =>
        launch(random, (contenders[name] as number) * 2 ** index, machine),
      ),
    );
    const results = names.map((contender, i) =>
      measured(contender, samples[i] ?? [], samples[0] ?? [], i),
    );
    const length = 64 * 2 ** index;
    const flops = 4 * 4 * length * length * 64;
    return {
      id: `case-${index}`,
      title: `case ${index}`,
      source: "made up",
      suite: "sweep-length",
      series: { name: "made up", axis: "length", at: length },
      operation: "attention",
      sizes: {
        batch: 1,
        queryHeads: 4,
        kvHeads: 4,
        queryLength: length,
        keyLength: length,
        headDim: 64,
        valueDim: 64,
      },
      problem: `problem ${index}`,
      flops,
      bytes: 4 * 4 * 4 * length * 64,
      results,
    };
  };
  return {
    format: "heed-bench",
    version: 2,
    environments: [environment],
    options: { dtype: "float32", threads: 1, budget: 1000, samples: null },
    contenders: names.map((name) => ({
      name,
      environment: environment.name,
      kind: "backend",
      status: "ready",
      info: { runtime: "JavaScript", device: "CPU", features: [], threads: 1 },
    })),
    cases: Array.from({ length: cases }, (_, index) => report(index)),
  };
}

/** The report with one contender's results wrong, and timed all the same. */
export function withWrong(report: BenchReport, contender: string): BenchReport {
  const spoil = (result: Measured): Wrong => {
    const { timing, launches, deviceTiming, ratio, status: _, ...first } = result;
    const timed = { timing, launches, deviceTiming, ratio };
    return { ...first, status: "wrong", errorInBudgets: 7000, message: "off", timed };
  };
  const cases = report.cases.map((c) => ({
    ...c,
    results: c.results.map((result) =>
      result.contender === contender && result.status === "measured" ? spoil(result) : result,
    ),
  }));
  return { ...report, cases };
}

function launch(random: Random, ms: number, machine: number): LaunchSamples {
  const luck = Math.exp(0.05 * random.normal());
  const rounds: number[][] = [];
  const yardstick: number[] = [];
  for (let round = 0; round < 9; round++) {
    const drift = machine * (random.uniform() < 0.3 ? 1.1 : 1);
    yardstick.push(0.1 * drift * Math.exp(0.01 * random.normal()));
    const middle = ms * luck * drift * Math.exp(0.02 * random.normal());
    const sample = () => middle * (random.uniform() < 0.05 ? 3 : Math.exp(0.02 * random.normal()));
    rounds.push(Array.from({ length: 7 }, sample));
  }
  return { rounds, yardstick };
}

function measured(
  contender: string,
  launches: readonly LaunchSamples[],
  baseline: readonly LaunchSamples[],
  at: number,
): Measured {
  const ratio = at === 0 ? null : pairedRatio(baseline, launches);
  return {
    contender,
    status: "measured",
    kernel: "made up",
    workspaceBytes: 0,
    inputs: "host",
    errorInBudgets: 0.1,
    planMs: 1,
    placeMs: 1,
    firstCallMs: 5,
    peakBytes: null,
    timing: summarize(launches.flatMap(({ rounds }) => rounds.flat())),
    launches,
    ...(ratio && { ratio }),
  };
}
