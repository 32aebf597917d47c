import { Bench } from "tinybench";
import { breathe } from "./breathe.js";
import { repeatsFor } from "./tick.js";
import type { Yardstick } from "./yardstick.js";

/** Something to time. */
export interface TimedSubject {
  /** One call; done when it resolves. */
  run(): Promise<unknown>;
  /** Time of a trial call, in ms. */
  readonly estimate: number;
  /** Time of the latest call by its device's clock, in ms; null if the device has none. */
  readonly deviceMs?: (() => Promise<number | null>) | undefined;
  /** Time spent reading outputs back, in ms, over all calls since this was last asked. */
  readonly readMs?: (() => number) | undefined;
  /** Sampling options for this subject alone; they override those given for all. */
  readonly sampling?: Partial<SamplingOptions> | undefined;
}

/** Measured times of a subject, in ms. */
export interface SubjectTimes {
  /** Wall-clock samples by round; each is the mean time of a call over `repeats` consecutive calls. */
  readonly rounds: readonly (readonly number[])[];
  /** Time of the yardstick before each round. */
  readonly yardstick: readonly number[];
  /** Samples by the device's clock, in ms a call; empty if the device has none. */
  readonly device: readonly number[];
  /** Part of each sample spent reading outputs back, in ms a call; empty if none are read back. */
  readonly read: readonly number[];
  /** Calls that each sample is the mean of: more than one where the clock is too coarse for one. */
  readonly repeats: number;
}

export interface SamplingOptions {
  /**
   * Time to spend on one subject, in ms. Slow subjects may overdraw it: see {@link planSampling}.
   */
  readonly budget: number;
  /** Samples of each subject, whatever they cost; null: as many as the budget allows. */
  readonly samples: number | null;
  /** The clock's least difference, in ms; 0 if left out. */
  readonly tick?: number | undefined;
  /** Samples for which a slow subject may overdraw its budget; 3 if left out. */
  readonly fewest?: number | undefined;
}

/** How a subject's samples are spread: `rounds` visits of `calls` samples each, the last of fewer. */
export interface SamplingPlan {
  readonly rounds: number;
  readonly calls: number;
  /** Calls in each sample. */
  readonly repeats: number;
  /** Samples over all rounds. */
  readonly samples: number;
}

/** Visits that are enough to see the machine speed up and slow down. */
const mostRounds = 9;
/** Samples in one visit beyond which more say nothing new. */
const mostCalls = 50;

/** Samples without which there is no median to speak of, and how far the budget gives way to them. */
const fewestSamples = 3;
export const overdraft = 12;

/**
 * How often to call something that takes `estimate` ms: as often as the budget allows, but three
 * times if twelve budgets allow that, and once in any case. Pure.
 */
export function planSampling(estimate: number, options: SamplingOptions): SamplingPlan {
  const repeats = repeatsFor(estimate, options.tick ?? 0);
  const calls = (budget: number) => Math.floor(budget / Math.max(repeats * estimate, 1e-3));
  const affordable = Math.max(
    1,
    calls(options.budget),
    Math.min(options.fewest ?? fewestSamples, calls(overdraft * options.budget)),
  );
  const samples = options.samples ?? Math.min(affordable, mostRounds * mostCalls);
  const perVisit = Math.ceil(samples / mostRounds);
  return { rounds: Math.ceil(samples / perVisit), calls: perVisit, repeats, samples };
}

/**
 * Times subjects in turns: one visit to each, then the next round, so that those of one round were
 * measured under the same conditions. Slow subjects take part in the first rounds only.
 *
 * @param yardstick measured before each visit
 * @param signal stops before the next visit
 * @returns for each subject what it took
 */
export async function timeInRounds(
  subjects: readonly TimedSubject[],
  options: SamplingOptions,
  yardstick: Yardstick,
  signal?: AbortSignal,
): Promise<SubjectTimes[]> {
  const timed = subjects.map((subject) => ({
    subject,
    plan: planSampling(subject.estimate, { ...options, ...subject.sampling }),
    rounds: [] as number[][],
    yardstick: [] as number[],
    device: [] as number[],
    read: [] as number[],
  }));
  const rounds = Math.max(0, ...timed.map(({ plan }) => plan.rounds));
  for (let round = 0; round < rounds; round++) {
    for (const { subject, plan, ...times } of timed) {
      if (round >= plan.rounds) continue;
      await breathe();
      signal?.throwIfAborted();
      const left = plan.samples - round * plan.calls;
      times.yardstick.push(yardstick());
      times.rounds.push(await visit(subject, Math.min(plan.calls, left), plan.repeats, times));
    }
  }
  return timed.map(({ rounds, yardstick, device, read, plan: { repeats } }) => ({
    rounds,
    yardstick,
    device,
    read,
    repeats,
  }));
}

/**
 * Takes `calls` samples in a row.
 *
 * @param repeats calls in each
 *
 * @param parts where the device's own times go, and those of reading
 * @returns the wall clock's, in ms
 */
async function visit(
  { run, deviceMs, readMs }: TimedSubject,
  calls: number,
  repeats: number,
  { device, read }: { readonly device: number[]; readonly read: number[] },
): Promise<number[]> {
  const bench = new Bench({
    iterations: calls,
    time: 0,
    warmup: false,
    retainSamples: true,
    throws: true,
  });
  // `async` is said, because finding it out would cost a call.
  const sample = async () => {
    for (let i = 0; i < repeats; i++) await run();
  };
  bench.add("visit", repeats === 1 ? () => run().then(() => undefined) : sample, {
    async: true,
    // Calls that were not timed are not this visit's.
    beforeAll: async () => {
      await deviceMs?.();
      readMs?.();
    },
    // Outside of what is timed.
    afterEach: async () => {
      const ms = (await deviceMs?.()) ?? null;
      if (ms !== null) device.push(ms / repeats);
      if (readMs) read.push(readMs() / repeats);
    },
  });
  const [task] = await bench.run();
  const result = task?.result;
  if (result?.state !== "completed" || !result.latency.samples) {
    throw new Error(`timing ended as ${result?.state ?? "nothing"}`);
  }
  return result.latency.samples.map((ms) => ms / repeats);
}

/** Awaits one call. @returns what it gave and how long it took, in ms */
export async function timeOnce<T>(call: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const start = performance.now();
  const value = await call();
  return { value, ms: performance.now() - start };
}
