import type { ReadVector } from "@heed/conformance";
import {
  type AttentionInputs,
  type AttentionProblem,
  describeProblem,
  type FloatDType,
  type HostTensor,
} from "@heed/core";
import { median } from "simple-statistics";
import type { ContenderPlan, LoadedContender, PlacedCall } from "../contenders/contender.js";
import { messageOf } from "../message.js";
import type { CaseReport, CaseResult, CaseSizes, FirstCall, Timed } from "../report/report.js";
import { summarizeLaunches } from "../report/timed.js";
import { type LaunchSamples, pairedRatio } from "../statistics.js";
import { attentionWork } from "../work.js";
import type { Workload } from "../workloads/workload.js";
import { breathe } from "./breathe.js";
import { type Judge, prepareJudge } from "./correctness.js";
import type { MemoryMeter } from "./memory.js";
import {
  overdraft,
  type SamplingOptions,
  type SubjectTimes,
  timeInRounds,
  timeOnce,
} from "./rounds.js";
import type { Yardstick } from "./yardstick.js";

/** A contender that loaded. */
export interface ReadyContender {
  readonly name: string;
  readonly loaded: LoadedContender;
}

export interface CaseOptions extends SamplingOptions {
  readonly dtype: FloatDType;
  readonly yardstick: Yardstick;
  /** Whether what computes something wrong is timed, too; its result says that it is wrong. */
  readonly timeWrong: boolean;
  readonly memory?: MemoryMeter | undefined;
  /** Where recorded tensors are read from. */
  readonly readVector?: ReadVector | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told before each step of the case: a contender's check, then the timing of all. */
  readonly onStep?: ((step: string) => void) | undefined;
}

/** One that has computed once and waits to be timed. */
interface Candidate {
  readonly at: number;
  readonly name: string;
  /** What is wrong with its output; null if nothing is. */
  readonly wrong: string | null;
  readonly first: FirstCall;
  readonly plan: ContenderPlan;
  readonly call: PlacedCall;
  readonly estimate: number;
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
  const inputs = await workload.load(options.dtype, options.readVector);
  const problem = describeProblem(inputs);
  options.onStep?.("oracle");
  const judge = prepareJudge(inputs);
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
    for (const { call, plan } of candidates) {
      call.dispose();
      plan.dispose();
    }
  }
  const { flops, bytes } = attentionWork(problem, inputs);
  const { id, title, source, suite, series } = workload;
  return {
    id,
    title,
    source,
    suite,
    ...(series && { series }),
    sizes: sizesOf(problem),
    problem: problem.key,
    flops,
    bytes,
    results,
  };
}

function sizesOf(problem: AttentionProblem): CaseSizes {
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim } = problem;
  return { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim };
}

async function check(
  at: number,
  { name, loaded }: ReadyContender,
  problem: AttentionProblem,
  inputs: AttentionInputs<HostTensor>,
  judge: Judge,
  options: CaseOptions,
): Promise<Candidate | CaseResult> {
  const support = loaded.supports(problem);
  if (!support.ok) return { contender: name, status: "refused", reasons: support.reasons };
  let plan: ContenderPlan | null = null;
  let call: PlacedCall | null = null;
  try {
    const growth = options.memory?.start(loaded.info);
    const planning = await timeOnce(() => loaded.plan(problem, inputs));
    plan = planning.value;
    const placing = await timeOnce(() => planning.value.place(inputs));
    call = placing.value;
    const running = await timeOnce(() => placing.value.run());
    const peak = growth?.();
    const verdict = judge(running.value);
    const first: FirstCall = {
      kernel: plan.kernel,
      workspaceBytes: plan.workspaceBytes,
      inputs: call.inputs,
      errorInBudgets: verdict.errorInBudgets,
      planMs: planning.ms,
      placeMs: placing.ms,
      firstCallMs: running.ms,
      peakBytes: peak?.bytes ?? null,
      ...(peak && { peakOf: peak.of }),
    };
    const { wrong } = verdict;
    if (wrong !== null && !options.timeWrong) {
      release(call, plan);
      return { contender: name, status: "wrong", ...first, message: wrong };
    }
    const estimate = await warmUp(call, running.ms, options);
    return { at, name, wrong, first, plan, call, estimate };
  } catch (error) {
    release(call, plan);
    return { contender: name, status: "failed", message: messageOf(error) };
  }
}

/** Calls in a row that have to agree before a warm-up ends, and how far they may lie apart. */
const settledCalls = 4;
const settledWithin = 1.25;

/**
 * Calls until the just-in-time compiler has had its chance: for a tenth of the budget, and on until
 * calls take about the same, for no more than a whole budget. A process's first case was seen to swing
 * between 1 and 17 ms for a second, while a compiler of another thread was at work.
 *
 * @returns what a call takes, in ms
 */
async function warmUp(
  call: PlacedCall,
  firstMs: number,
  { budget, tick = 0 }: SamplingOptions,
): Promise<number> {
  if (firstMs > budget) return firstMs;
  const start = performance.now();
  const recent: number[] = [];
  for (;;) {
    const { ms } = await timeOnce(() => call.run());
    recent.push(ms);
    if (recent.length > settledCalls) recent.shift();
    const spent = performance.now() - start;
    const settled =
      recent.length === settledCalls &&
      Math.max(...recent) <= settledWithin * Math.min(...recent) + 2 * tick;
    if (spent + ms >= budget || (settled && spent >= budget / 10)) return median(recent);
  }
}

async function time(
  candidates: readonly Candidate[],
  options: CaseOptions,
): Promise<[at: number, result: CaseResult][]> {
  // What takes longer than all that is allowed has been timed once, and that has to do.
  const endless = (candidate: Candidate) =>
    options.samples === null && candidate.first.firstCallMs > overdraft * options.budget;
  const others = candidates.filter((candidate) => !endless(candidate));
  const subjects = others.map(({ call, estimate }) => ({
    run: () => call.run(),
    estimate,
    deviceMs: call.deviceMs,
    readMs: call.readMs,
  }));
  const timed = await timeInRounds(subjects, options, options.yardstick, options.signal);
  const timesOf = (candidate: Candidate): SubjectTimes =>
    timed[others.indexOf(candidate)] ?? {
      rounds: [[candidate.first.firstCallMs]],
      yardstick: [options.yardstick()],
      device: [],
      read: [],
      repeats: 1,
    };
  const launchesOf = (candidate: Candidate): LaunchSamples[] => {
    const { rounds, yardstick, device, read, repeats } = timesOf(candidate);
    return [
      {
        rounds,
        yardstick,
        ...(device.length > 0 && { device }),
        ...(read.length > 0 && { read }),
        ...(repeats > 1 && { callsPerSample: repeats }),
      },
    ];
  };
  const launches = candidates.map(launchesOf);
  // What is wrong is no baseline.
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

function release(call: PlacedCall | null, plan: ContenderPlan | null): void {
  call?.dispose();
  plan?.dispose();
}
