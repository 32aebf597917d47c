import { isHeedError, type Problem } from "@heed/core";
import { median } from "simple-statistics";
import type {
  AttentionCalls,
  ContenderPlan,
  LoadedContender,
  PlacedCall,
} from "../contenders/contender.js";
import { messageOf } from "../message.js";
import { operationOf } from "../operations/index.js";
import { formatBytes } from "../report/format.js";
import type { CaseResult, FirstCall, Refused } from "../report/report.js";
import type { Judge, Outputs } from "./judge.js";
import type { MemoryMeter } from "./memory.js";
import { overdraft, type SamplingOptions, timeOnce } from "./rounds.js";

/** A contender that loaded. */
export interface ReadyContender {
  readonly name: string;
  readonly loaded: LoadedContender;
}

/** A contender that has computed the case once and waits to be timed. */
export interface Candidate {
  readonly at: number;
  readonly name: string;
  /** Description of an error in its output; null if the output is right. */
  readonly wrong: string | null;
  readonly first: FirstCall;
  readonly plan: ContenderPlan;
  readonly call: PlacedCall;
  /** ms that a call takes once it is warm. */
  readonly estimate: number;
  /** The call through `attention.run`, in each way that is to be timed. */
  readonly attention: readonly AttentionCandidate[];
}

/** One way to call `attention.run`. */
export interface AttentionCandidate {
  readonly way: keyof AttentionCalls;
  readonly run: () => Promise<Outputs>;
  readonly estimate: number;
}

export interface CheckOptions extends SamplingOptions {
  /** Whether contenders whose outputs are wrong are timed, too. */
  readonly timeWrong: boolean;
  readonly memory?: MemoryMeter | undefined;
}

/**
 * The part of the budget that each way to call `attention.run` has; its plan has the rest. Core adds
 * little, and what a call takes is known from the plan's samples already.
 */
export const attentionShare = 0.25;

/**
 * Has a contender compute once, in each way that will be timed, and judges what comes out.
 *
 * @param at its place among the contenders
 * @returns the candidate, whose plan and call are then the caller's to dispose of, or the result where
 *   there is nothing to time
 */
export async function check(
  at: number,
  { name, loaded }: ReadyContender,
  problem: Problem,
  inputs: unknown,
  judge: Judge,
  options: CheckOptions,
): Promise<Candidate | CaseResult> {
  const support = loaded.supports(problem);
  if (!support.ok) return { contender: name, status: "refused", reasons: support.reasons };
  const tooLarge = tooLargeFor(options.memory, problem);
  if (tooLarge !== null) return refusal(name, "memory", tooLarge);
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
    const ways = await checkAttention(call, running.ms, judge, options);
    const first: FirstCall = {
      kernel: plan.kernel,
      workspaceBytes: plan.workspaceBytes,
      ...(plan.cacheBytes !== undefined && { cacheBytes: plan.cacheBytes }),
      inputs: call.inputs,
      errorInBudgets: verdict.errorInBudgets,
      planMs: planning.ms,
      placeMs: placing.ms,
      firstCallMs: running.ms,
      peakBytes: peak?.bytes ?? null,
      ...(peak && { peakOf: peak.of }),
    };
    const wrong = verdict.wrong ?? ways.wrong;
    if (wrong !== null && !options.timeWrong) {
      release(call, plan);
      return { contender: name, status: "wrong", ...first, message: wrong };
    }
    const estimate = await warmUp(call, running.ms, options);
    const attention: AttentionCandidate[] = [];
    for (const { way, run, firstMs } of ways.calls) {
      const share = { ...options, budget: attentionShare * options.budget };
      attention.push({ way, run, estimate: await warmUp({ run }, firstMs, share) });
    }
    return { at, name, wrong, first, plan, call, estimate, attention };
  } catch (error) {
    release(call, plan);
    return failureOf(name, problem, error);
  }
}

/** Part of the free memory that a contender may take: those measured beside it need theirs, too. */
const mostOfFree = 0.4;

/** Why a problem is left out for lack of memory; null if it fits, and where nobody can tell. */
function tooLargeFor(memory: MemoryMeter | undefined, problem: Problem): string | null {
  const bytes = operationOf(problem).bytesOf?.(problem) ?? 0;
  const free = memory?.free?.() ?? null;
  if (free === null || bytes <= mostOfFree * free) return null;
  const part = `${100 * mostOfFree} % of the ${formatBytes(free)} that are free`;
  return `it needs ${formatBytes(bytes)}, more than ${part}`;
}

function refusal(contender: string, code: string, message: string): Refused {
  return { contender, status: "refused", reasons: [{ code, message }] };
}

/** An error while a contender was checked, as a result: a refusal where it says that it cannot do this. */
function failureOf(contender: string, problem: Problem, error: unknown): CaseResult {
  if (isHeedError(error, "unsupported")) {
    const reasons = error.backends.flatMap(({ reasons }) => reasons);
    if (reasons.length > 0) return { contender, status: "refused", reasons };
  }
  // A cache is as large as its case says; a single call that finds no memory is an error.
  if (isHeedError(error, "out-of-memory") && operationOf(problem).bytesOf) {
    return refusal(contender, "memory", messageOf(error));
  }
  return { contender, status: "failed", message: messageOf(error) };
}

interface AttentionChecked {
  readonly calls: readonly {
    readonly way: keyof AttentionCalls;
    readonly run: () => Promise<Outputs>;
    /** ms of its first call. */
    readonly firstMs: number;
  }[];
  /** Description of the error in a wrong output; null if every output is right. */
  readonly wrong: string | null;
}

/** Calls `attention.run` once in each way; not at all where a call takes too long to be repeated. */
async function checkAttention(
  { attention }: PlacedCall,
  firstMs: number,
  judge: Judge,
  options: CheckOptions,
): Promise<AttentionChecked> {
  if (!attention || isEndless(firstMs, options)) return { calls: [], wrong: null };
  const calls: AttentionChecked["calls"][number][] = [];
  let wrong: string | null = null;
  for (const way of ["host", "resident"] as const) {
    const run = attention[way];
    if (!run) continue;
    const { value, ms } = await timeOnce(run);
    calls.push({ way, run, firstMs: ms });
    const verdict = judge(value);
    if (verdict.wrong !== null) wrong ??= `attention.run on ${way} tensors: ${verdict.wrong}`;
  }
  return { calls, wrong };
}

/** Whether a call takes longer than all that is allowed: it has been timed once, and that has to do. */
export function isEndless(firstMs: number, { samples, budget }: SamplingOptions): boolean {
  return samples === null && firstMs > overdraft * budget;
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
  call: Pick<PlacedCall, "run">,
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

/** Disposes of what a contender holds for a case. */
export function release(call: PlacedCall | null, plan: ContenderPlan | null): void {
  call?.dispose();
  plan?.dispose();
}
