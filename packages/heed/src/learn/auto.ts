import type { Problem, SupportReason } from "@heed/core";
import type { Candidate, Strategy, StrategyControl } from "@heed/core/select";
import { classKey } from "@heed/core/select/parts";
import { fingerprint, type Memory, type Remembered } from "./memory.js";
import { CostModel } from "./model.js";

/** The part of all time spent so far that trials may cost beyond what the best known backend takes. */
const trialShare = 0.05;

/** Calls of a class before another backend is tried: the first ones run code that is not compiled yet. */
const callsBeforeTrials = 3;

/** Times of a backend that count; the median of them is its time. */
const timesKept = 5;

/** Times after which a backend is known well enough. */
const timesNeeded = 2;

/** Calls given to a backend to get those times, some of which overlap others and are not timed. */
const mostAttempts = 6;

/** Calls of a class after which only one of eight is looked at. */
const callsLookedAt = 64;

/** Milliseconds that calls of a class take together before another backend is loaded for it, … */
const spentBeforeLoading = 100;

/** … or calls, where the other one is expected to take less than half of the time. */
const callsBeforeLoading = 20;

/** Times of a class of problems on one backend. */
interface Times {
  /** The last times, in ms. */
  readonly last: number[];
  /** How many there were in all. */
  count: number;
  /** Median ms of {@link last}, or what is remembered as long as there is none. */
  median: number;
  attempts: number;
  readonly remembered: Remembered | undefined;
}

/** A class of problems, whose lengths lie between the same powers of two. */
interface Kind {
  readonly name: string;
  readonly times: Map<string, Times>;
  /** Backends that have a plan for {@link planned}, made ahead. */
  readonly ready: Set<Candidate>;
  planned: Problem | null;
  calls: number;
  /** Milliseconds of all calls. */
  spent: number;
  candidates: readonly Candidate[];
  /** The backend that listeners were told of. */
  told: Candidate | null;
  /** The best of {@link candidates} until the next time is looked at; null if that is to be worked out. */
  settled: Candidate | null;
  /** The backend that the last trial was given to, until its time is known. */
  tried: Candidate | null;
}

/**
 * Learns from calls which backend is fastest. It starts with what is remembered, or else with the order; a call
 * is given to another backend only if that may well be faster by what is known of it, and trials cost at
 * most 5 % of all time spent so far. Whatever takes long before such a trial (loading, compiling) is done
 * while no call waits for it.
 */
export class AutoStrategy implements Strategy {
  readonly #memory: Memory;
  readonly #whenIdle: (job: () => Promise<void>) => void;
  readonly #model = new CostModel();
  readonly #kinds = new Map<string, Kind>();
  readonly #kindOf = new WeakMap<Problem, Kind>();
  readonly #names = new Map<Candidate, { readonly threads: number; readonly name: string }>();
  readonly #asked = new Set<Candidate>();
  #control: StrategyControl | null = null;
  /** Whether a job is under way, and whether the last look found that there are more. */
  #working = false;
  #preparing = false;
  #total = 0;
  /** Milliseconds that trials took beyond the best known backend's time. */
  #extra = 0;

  /**
   * @param memory times of earlier processes, restored
   * @param whenIdle runs a job soon, between calls
   */
  constructor(memory: Memory, whenIdle: (job: () => Promise<void>) => void = soon) {
    this.#memory = memory;
    this.#whenIdle = whenIdle;
  }

  attach(control: StrategyControl): void {
    this.#control = control;
  }

  choose<C extends Candidate>(problem: Problem, candidates: readonly C[], asked: boolean): C {
    const kind = this.#kind(problem);
    if (kind.settled !== null && kind.candidates === candidates) return kind.settled as C;
    kind.candidates = candidates;
    const best = this.#best(kind, candidates);
    if (kind.calls > callsLookedAt) kind.settled = best;
    return (asked && this.#trial(problem, kind, candidates, best)) || best;
  }

  saw(problem: Problem, candidate: Candidate, milliseconds: number): void {
    const kind = this.#kind(problem);
    const steady = kind.calls > callsLookedAt && kind.calls % 8 !== 0;
    if (steady && candidate !== kind.tried) {
      // A steady call should not cost what looking at it does.
      kind.calls += 1;
      kind.spent += milliseconds;
      this.#total += milliseconds;
      return;
    }
    kind.settled = null;
    kind.tried = null;
    const times = this.#times(kind, candidate);
    if (kind.candidates.length === 0) kind.candidates = [candidate];
    const best = this.#best(kind, kind.candidates);
    const bestTimes = this.#times(kind, best);
    if (best !== candidate) this.#extra += Math.max(0, milliseconds - bestTimes.median);
    kind.calls += 1;
    kind.spent += milliseconds;
    this.#total += milliseconds;
    note(times, milliseconds);
    if (times.count === timesNeeded) this.#model.correct(problem, candidate, times.median);
    // Times hardly change any more: a steady call should not cost what a write does.
    if (times.count === timesNeeded || times.count % 32 === 0) {
      const remembered = { milliseconds: times.median, at: Date.now() };
      this.#memory.set(kind.name, this.#nameOf(candidate), remembered);
    }
    const chosen = this.#best(kind, kind.candidates);
    if (kind.told !== chosen && times.count >= timesNeeded) {
      kind.told = chosen;
      this.#control?.chose(problem, chosen, this.why(problem, chosen) ?? "");
    }
    const often = kind.calls <= callsLookedAt || this.#preparing;
    if (often || kind.calls % 64 === 1) this.#prepareTrials(problem, kind);
  }

  why(problem: Problem, chosen: Candidate): string | undefined {
    const kind = this.#kind(problem);
    const others = kind.candidates.filter((other) => other !== chosen);
    if (!others.some((other) => this.#known(kind, other) !== null)) return undefined;
    return this.#known(kind, chosen) ?? undefined;
  }

  whyNot(problem: Problem, candidate: Candidate, chosen: Candidate | undefined): SupportReason {
    const kind = this.#kind(problem);
    const known = this.#known(kind, candidate);
    const than = chosen === undefined ? "another" : chosen.name;
    if (known !== null) {
      return { code: "slower", message: `could run it, but ${than} is faster: ${known}` };
    }
    const expected = this.#model.expect(problem, candidate);
    const about = Number.isFinite(expected) ? `, expected at about ${format(expected)}` : "";
    return {
      code: "lower-priority",
      message: `could run it${about}, but comes after ${than} and was not tried`,
    };
  }

  dispose(): Promise<void> {
    return this.#memory.flush();
  }

  /** The fastest known backend, or the first if none is known. */
  #best<C extends Candidate>(kind: Kind, candidates: readonly C[]): C {
    let best = candidates[0] as C;
    let least = Number.POSITIVE_INFINITY;
    for (const candidate of candidates) {
      const { count, remembered, median } = this.#times(kind, candidate);
      // One time alone may be that of code that was not compiled yet.
      const known = count >= timesNeeded || remembered !== undefined;
      if (known && median < least) [best, least] = [candidate, median];
    }
    return best;
  }

  /** A backend to try on the call that comes; undefined if none is worth it. */
  #trial<C extends Candidate>(
    problem: Problem,
    kind: Kind,
    candidates: readonly C[],
    best: C,
  ): C | undefined {
    if (kind.calls < callsBeforeTrials || kind.planned !== problem) return undefined;
    for (const candidate of candidates) {
      if (candidate === best || !kind.ready.has(candidate)) continue;
      const times = this.#times(kind, candidate);
      if (!this.#mayWin(problem, kind, candidate, best)) continue;
      const risk = this.#risk(problem, kind, candidate, best);
      if (this.#extra + risk > trialShare * this.#total) continue;
      times.attempts += 1;
      kind.tried = candidate;
      return candidate;
    }
    return undefined;
  }

  /** Whether a backend is not known well enough, and may be faster than the best known one. */
  #mayWin(problem: Problem, kind: Kind, candidate: Candidate, best: Candidate): boolean {
    const { count, remembered, attempts, median } = this.#times(kind, candidate);
    if (count >= timesNeeded || remembered !== undefined || attempts >= mostAttempts) return false;
    const most = this.#times(kind, best).median;
    // The first time is often the slowest.
    return count === 0 ? this.#model.expect(problem, candidate) < most : median < 3 * most;
  }

  /** Milliseconds that a trial may cost: an expectation may be wrong by a factor of two. */
  #risk(problem: Problem, kind: Kind, candidate: Candidate, best: Candidate): number {
    const { count, median } = this.#times(kind, candidate);
    const worst = count === 0 ? 2 * this.#model.expect(problem, candidate) : median;
    return Math.max(0, worst - this.#times(kind, best).median);
  }

  /** Loads and plans, between calls, for backends that may be faster. */
  #prepareTrials(problem: Problem, kind: Kind): void {
    if (this.#working || this.#control === null || kind.calls < callsBeforeTrials) return;
    const next = this.#nextToPrepare(problem, kind, this.#control);
    this.#preparing = next !== undefined;
    if (next === undefined) return;
    this.#working = true;
    this.#whenIdle(async () => {
      try {
        if (next.info === null) {
          this.#asked.add(next);
          await this.#control?.load(next);
        } else {
          if (kind.planned !== problem) kind.ready.clear();
          kind.planned = problem;
          if (await this.#control?.plan(next, problem)) kind.ready.add(next);
          else this.#times(kind, next).attempts = mostAttempts;
        }
      } finally {
        this.#working = false;
      }
    });
  }

  #nextToPrepare(
    problem: Problem,
    kind: Kind,
    { candidates }: StrategyControl,
  ): Candidate | undefined {
    const best = this.#best(kind, kind.candidates);
    const most = this.#times(kind, best).median;
    return candidates.find((candidate) => {
      if (candidate === best) return false;
      if (candidate.info !== null) {
        const ready = kind.planned === problem && kind.ready.has(candidate);
        return !ready && this.#mayWin(problem, kind, candidate, best);
      }
      if (this.#asked.has(candidate)) return false;
      if (this.#memory.wasFastest(kind.name, candidate.name)) return true;
      const expected = this.#model.expect(problem, candidate);
      return (
        (kind.spent >= spentBeforeLoading && expected < most) ||
        (kind.calls >= callsBeforeLoading && expected < most / 2)
      );
    });
  }

  #kind(problem: Problem): Kind {
    let kind = this.#kindOf.get(problem);
    if (kind !== undefined) return kind;
    const name = classKey(problem);
    kind = this.#kinds.get(name);
    if (kind === undefined) {
      kind = {
        name,
        times: new Map(),
        ready: new Set(),
        planned: null,
        calls: 0,
        spent: 0,
        candidates: [],
        told: null,
        settled: null,
        tried: null,
      };
      this.#kinds.set(name, kind);
    }
    this.#kindOf.set(problem, kind);
    return kind;
  }

  #times(kind: Kind, candidate: Candidate): Times {
    const name = this.#nameOf(candidate);
    let times = kind.times.get(name);
    if (times === undefined) {
      const remembered = this.#memory.get(kind.name, name);
      const median = remembered?.milliseconds ?? Number.POSITIVE_INFINITY;
      times = { last: [], count: 0, median, attempts: 0, remembered };
      kind.times.set(name, times);
    }
    return times;
  }

  /** The fingerprint of a backend as it is now: wasm has more threads when they have started. */
  #nameOf(candidate: Candidate): string {
    const { info } = candidate;
    if (info === null) return candidate.name;
    const { threads } = info;
    const known = this.#names.get(candidate);
    if (known?.threads === threads) return known.name;
    const name = fingerprint(candidate, info);
    this.#names.set(candidate, { threads, name });
    return name;
  }

  /** A backend's known times, in words; null if there are none. */
  #known(kind: Kind, candidate: Candidate): string | null {
    const { count, median, remembered } = this.#times(kind, candidate);
    if (count > 0) return `${format(median)}, measured ${count === 1 ? "once" : `${count} times`}`;
    if (remembered === undefined) return null;
    const day = new Date(remembered.at).toISOString().slice(0, 10);
    return `${format(median)}, remembered from ${day}`;
  }
}

function note(times: Times, milliseconds: number): void {
  const { last } = times;
  times.count += 1;
  if (last.length === timesKept) last.shift();
  last.push(milliseconds);
  const sorted = [...last].sort((a, b) => a - b);
  times.median = sorted[Math.floor((sorted.length - 1) / 2)] as number;
}

function format(milliseconds: number): string {
  return `${Number(milliseconds.toPrecision(3))} ms`;
}

/** In a page when it is idle, elsewhere after what waits already. No process lives on for it. */
function soon(job: () => Promise<void>): void {
  const { requestIdleCallback } = globalThis as {
    requestIdleCallback?: (run: () => void) => unknown;
  };
  const run = (): void => {
    // The error of a failed job is told by the calls that need it.
    job().catch(() => {});
  };
  if (requestIdleCallback) {
    requestIdleCallback(run);
    return;
  }
  const timer: unknown = setTimeout(run, 5);
  (timer as { unref?: () => void }).unref?.();
}
