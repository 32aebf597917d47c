import type { ReadVector } from "@heed/conformance";
import type { FloatDType, Problem } from "@heed/core";
import type { CaseReport, CaseResult, Timed } from "../report/report.js";
import { summarizeLaunches } from "../report/timed.js";
import { type AttentionSamples, type LaunchSamples, pairedRatio } from "../statistics.js";
import type { Workload } from "../workloads/workload.js";
import { breathe } from "./breathe.js";
import {
  attentionShare,
  type Candidate,
  type CheckOptions,
  check,
  isEndless,
  type ReadyContender,
  release,
} from "./check.js";
import { type SubjectTimes, type TimedSubject, timeInRounds } from "./rounds.js";
import type { Yardstick } from "./yardstick.js";

export interface CaseOptions extends CheckOptions {
  readonly dtype: FloatDType;
  readonly yardstick: Yardstick;
  /** Reads recorded tensors. */
  readonly readVector?: ReadVector | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told before each step of the case: a contender's check, then the timing of all. */
  readonly onStep?: ((step: string) => void) | undefined;
}

/**
 * Checks every contender on a workload, then times those that are right, in turns, and with
 * `timeWrong` those that are not.
 */
export async function runCase(
  workload: Workload,
  contenders: readonly ReadyContender[],
  options: CaseOptions,
): Promise<CaseReport> {
  const { operation } = workload;
  const { definition } = operation;
  const inputs = await workload.load(options.dtype, options.readVector);
  const problem: Problem = definition.describe(inputs);
  options.onStep?.("oracle");
  const judge = operation.prepareJudge(inputs);
  const results: CaseResult[] = [];
  const candidates: Candidate[] = [];
  try {
    for (const [at, contender] of contenders.entries()) {
      options.onStep?.(`checking ${contender.name}`);
      await breathe();
      options.signal?.throwIfAborted();
      const checked = await check(at, contender, problem, inputs, judge, options);
      if ("status" in checked) results[at] = checked;
      else candidates.push(checked);
    }
    options.onStep?.("timing");
    for (const [at, result] of await time(candidates, options)) results[at] = result;
  } finally {
    for (const { call, plan } of candidates) release(call, plan);
  }
  const { flops, bytes } =
    workload.work?.(inputs) ?? definition.work(definition.bind(problem, inputs));
  const { id, title, source, suite, series } = workload;
  const tokens = operation.tokensOf?.(problem);
  const tiles = workload.tiles?.(inputs);
  return {
    id,
    title,
    source,
    suite,
    ...(series && { series }),
    operation: definition.name,
    sizes: operation.sizesOf(problem),
    problem: problem.key,
    flops,
    bytes,
    ...(tokens !== undefined && { tokens }),
    ...(tiles && { tiles }),
    results,
  };
}

/** The subjects that time a candidate: its plan, then each way to call `attention.run`. */
function subjectsOf(
  { call, estimate, attention }: Candidate,
  budget: number,
): readonly TimedSubject[] {
  const shares = attention.map((one) => ({
    run: one.run,
    estimate: one.estimate,
    sampling: { budget: attentionShare * budget, fewest: 1 },
  }));
  return [
    {
      run: () => call.run(),
      estimate,
      deviceMs: call.deviceMs,
      readMs: call.readMs,
      sampling: { budget: (1 - shares.length * attentionShare) * budget },
    },
    ...shares,
  ];
}

function launchOf(
  { attention }: Candidate,
  [own, ...others]: readonly [SubjectTimes, ...SubjectTimes[]],
): LaunchSamples {
  const { rounds, yardstick, device, read, repeats } = own;
  const ways = Object.fromEntries(
    attention.map(({ way }, i) => [way, others[i]?.rounds]),
  ) as Partial<AttentionSamples>;
  return {
    rounds,
    yardstick,
    ...(device.length > 0 && { device }),
    ...(read.length > 0 && { read }),
    ...(repeats > 1 && { callsPerSample: repeats }),
    ...(ways.host && { attention: { ...ways, host: ways.host } }),
  };
}

async function time(
  candidates: readonly Candidate[],
  options: CaseOptions,
): Promise<[at: number, result: CaseResult][]> {
  const subjects = candidates.map((candidate) =>
    isEndless(candidate.first.firstCallMs, options) ? [] : subjectsOf(candidate, options.budget),
  );
  const timed = await timeInRounds(subjects.flat(), options, options.yardstick, options.signal);
  let next = 0;
  const launches = candidates.map((candidate, i): LaunchSamples[] => {
    const count = subjects[i]?.length ?? 0;
    const [own, ...others] = timed.slice(next, next + count);
    next += count;
    if (own) return [launchOf(candidate, [own, ...others])];
    return [{ rounds: [[candidate.first.firstCallMs]], yardstick: [options.yardstick()] }];
  });
  // Times are compared with the first candidate whose output is right.
  const baseline = candidates.findIndex(({ wrong }) => wrong === null);
  return candidates.map(({ at, name, wrong, first }, i) => {
    const own = launches[i] as LaunchSamples[];
    const ratio = i === baseline ? null : pairedRatio(launches[baseline] ?? [], own);
    const timed: Timed = { ...summarizeLaunches(own), ...(ratio && { ratio }) };
    const about = { contender: name, ...first };
    return wrong === null
      ? [at, { status: "measured", ...about, ...timed }]
      : [at, { status: "wrong", ...about, message: wrong, timed }];
  });
}
