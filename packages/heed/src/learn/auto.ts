import type { Problem, SupportReason } from "@heed/core";
import type { Candidate, Strategy, StrategyControl } from "@heed/core/select";
import { classKey } from "@heed/core/select/parts";
import { soon } from "./idle.js";
import { Kind } from "./kind.js";
import { fingerprint, type Memory } from "./memory.js";
import { CostModel } from "./model.js";

/** The part of all time spent so far that trials may cost beyond what the leader takes. */
const trialShare = 0.05;

/** Calls of a class before another backend is tried: the first ones run code that is not compiled yet. */
const callsBeforeTrials = 3;

/** Times of a backend before anybody is told of them: one alone may be that of code that was not compiled yet. */
const timesNeeded = 2;

/** Trials of a backend without a time, since they overlap other calls, after which it gets no more. */
const mostAttempts = 6;

/** Calls of a class after which only one of eight is looked at. */
const callsLookedAt = 64;

/** Milliseconds that calls of a class take together before another backend is loaded for it, … */
const spentBeforeLoading = 100;

/** … or calls, where the other one is expected to take less than half of the time. */
const callsBeforeLoading = 20;

/** An expectation may be wrong by this factor. */
const doubt = 2;

export interface AutoStrategyOptions {
  /** A strategy that ranks backends, for classes of problems that nothing is remembered of. Default: the order given. */
  readonly seed?: Strategy | null;
  /** Runs a job soon, between calls. */
  readonly whenIdle?: (job: () => Promise<void>) => void;
}

/**
 * Learns from calls which backend is fastest. It starts with what is remembered, or else with the order; a call
 * is given to another backend only if that may well be faster by what is known of it, and trials cost at
 * most 5 % of all time spent so far. Whatever takes long before such a trial (loading, compiling) is done
 * while no call waits for it.
 */
export class AutoStrategy implements Strategy {
  readonly #memory: Memory;
  readonly #seed: Strategy | null;
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
  /** Milliseconds that trials took beyond the leader's time. */
  #extra = 0;

  /** @param memory times of earlier processes, restored */
  constructor(memory: Memory, { seed = null, whenIdle = soon }: AutoStrategyOptions = {}) {
    this.#memory = memory;
    this.#seed = seed;
    this.#whenIdle = whenIdle;
  }

  attach(control: StrategyControl): void {
    this.#control = control;
  }

  rank<C extends Candidate>(problem: Problem, candidates: readonly C[]): readonly C[] {
    return this.#seed?.rank?.(problem, candidates) ?? candidates;
  }

  choose<C extends Candidate>(problem: Problem, candidates: readonly C[], asked: boolean): C {
    const kind = this.#kind(problem);
    if (kind.settled !== null && kind.candidates === candidates) return kind.settled as C;
    kind.candidates = candidates;
    const leader = kind.leader(candidates);
    if (kind.calls > callsLookedAt) kind.settled = leader;
    return (asked && this.#trial(problem, kind, candidates, leader)) || leader;
  }

  saw(problem: Problem, candidate: Candidate, milliseconds: number): void {
    const kind = this.#kind(problem);
    kind.calls += 1;
    kind.spent += milliseconds;
    this.#total += milliseconds;
    // A steady call should not cost what looking at it does.
    if (kind.calls > callsLookedAt + 1 && kind.calls % 8 !== 1 && candidate !== kind.tried) return;
    if (kind.candidates.length === 0) kind.candidates = [candidate];
    const leader = kind.leader(kind.candidates);
    if (candidate === kind.tried && candidate !== leader) {
      this.#extra += Math.max(0, milliseconds - kind.times(leader).median);
      const { repeated } = kind;
      if (repeated?.begun && repeated.candidate === candidate) {
        kind.repeated = null;
        kind.compare(candidate, leader, Math.min(milliseconds, repeated.milliseconds));
      } else if (kind.mayBeCold(leader, milliseconds)) {
        kind.repeated = { candidate, milliseconds, begun: false };
      } else {
        kind.compare(candidate, leader, milliseconds);
      }
    }
    kind.settled = null;
    kind.tried = null;
    const times = kind.times(candidate);
    kind.note(times, milliseconds);
    // Its shortest time: others lengthen times, and first ones are long.
    if (times.count >= timesNeeded && isPowerOfTwo(times.count)) {
      this.#model.correct(kind.name, problem, candidate, Math.min(...times.last));
    }
    const chosen = kind.leader(kind.candidates);
    // Times hardly change any more: a steady call should not cost what a write does.
    if (times.count === timesNeeded || times.count % 32 === 0 || chosen !== leader) {
      this.#remember(kind, chosen, candidate);
    }
    if (kind.told !== chosen && kind.times(chosen).count >= timesNeeded) {
      kind.told = chosen;
      this.#control?.chose(problem, chosen, this.why(problem, chosen) ?? "");
    }
    const often = kind.calls <= callsLookedAt || this.#preparing;
    if (often || kind.calls % 64 === 1) this.#prepareTrials(problem, kind);
  }

  why(problem: Problem, chosen: Candidate): string | undefined {
    const kind = this.#kind(problem);
    const others = kind.candidates.filter((other) => other !== chosen);
    const compared = others.some((other) => this.#known(kind, other) !== null);
    return (compared ? this.#known(kind, chosen) : null) ?? this.#seed?.why?.(problem, chosen);
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
    const seeded = chosen !== undefined && this.#prefers(problem, chosen, candidate);
    const place = seeded ? " in the recommendation" : "";
    return {
      code: "lower-priority",
      message: `could run it${about}, but comes after ${than}${place} and was not tried`,
    };
  }

  dispose(): Promise<void> {
    return this.#memory.flush();
  }

  /** A backend to try on the call that comes; undefined if none is worth it. */
  #trial<C extends Candidate>(
    problem: Problem,
    kind: Kind,
    candidates: readonly C[],
    leader: C,
  ): C | undefined {
    if (kind.calls < callsBeforeTrials || kind.planned !== problem) return undefined;
    const mayCost = (milliseconds: number) =>
      this.#extra + milliseconds <= trialShare * this.#total;
    const { repeated } = kind;
    if (repeated !== null && !repeated.begun) {
      const { candidate, milliseconds } = repeated;
      const again = candidates.find((one) => one === candidate && one !== leader);
      if (again && kind.ready.has(again) && mayCost(milliseconds - kind.times(leader).median)) {
        repeated.begun = true;
        kind.tried = again;
        return again;
      }
      kind.repeated = null;
      if (candidate !== leader) kind.compare(candidate, leader, milliseconds);
    }
    for (const candidate of candidates) {
      if (candidate === leader || !kind.ready.has(candidate)) continue;
      if (!this.#mayWin(problem, kind, candidate, leader)) continue;
      if (!mayCost(this.#risk(problem, kind, candidate, leader))) continue;
      kind.times(candidate).attempts += 1;
      kind.tried = candidate;
      return candidate;
    }
    return undefined;
  }

  /** Whether a backend may be faster than the leader, and a trial could tell. */
  #mayWin(problem: Problem, kind: Kind, candidate: Candidate, leader: Candidate): boolean {
    const { attempts, ratios } = kind.times(candidate);
    if (attempts >= mostAttempts) return false;
    if (kind.isKnown(candidate)) return kind.isDue(candidate, leader);
    return (
      ratios.length > 0 ||
      this.#model.atBest(problem, candidate) < kind.times(leader).median ||
      this.#prefers(problem, candidate, leader)
    );
  }

  /** Whether the seed ranks a backend before another one. */
  #prefers(problem: Problem, candidate: Candidate, other: Candidate): boolean {
    return this.#seed?.rank?.(problem, [other, candidate])[0] === candidate;
  }

  /** Milliseconds that a trial may cost. */
  #risk(problem: Problem, kind: Kind, candidate: Candidate, leader: Candidate): number {
    const { ratios } = kind.times(candidate);
    const { median } = kind.times(leader);
    const known = kind.milliseconds(candidate, leader);
    const last = ratios.at(-1);
    // The seed says that it takes no longer than the leader.
    const most = this.#prefers(problem, candidate, leader) ? median : Number.POSITIVE_INFINITY;
    const worst =
      known ??
      (last === undefined
        ? doubt * Math.min(this.#model.expect(problem, candidate), most)
        : last * median);
    return Math.max(0, worst - median);
  }

  /** Remembers the times of the leader and of a backend, as they compare. */
  #remember(kind: Kind, leader: Candidate, candidate: Candidate): void {
    for (const one of new Set([leader, candidate])) {
      const milliseconds = kind.milliseconds(one, leader) ?? kind.times(one).median;
      if (!Number.isFinite(milliseconds)) continue;
      this.#memory.set(kind.name, this.#nameOf(one), { milliseconds, at: Date.now() });
    }
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
          else kind.times(next).attempts = mostAttempts;
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
    const leader = kind.leader(kind.candidates);
    const most = kind.times(leader).median;
    return candidates.find((candidate) => {
      if (candidate === leader) return false;
      if (candidate.info !== null) {
        const ready = kind.planned === problem && kind.ready.has(candidate);
        return !ready && this.#mayWin(problem, kind, candidate, leader);
      }
      if (this.#asked.has(candidate)) return false;
      if (this.#memory.wasFastest(kind.name, candidate.name)) return true;
      if (this.#prefers(problem, candidate, leader)) return true;
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
      const nameOf = (candidate: Candidate) => this.#nameOf(candidate);
      kind = new Kind(name, nameOf, (by) => this.#memory.get(name, by));
      this.#kinds.set(name, kind);
    }
    this.#kindOf.set(problem, kind);
    return kind;
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
    const { count, median, remembered } = kind.times(candidate);
    if (count > 0) return `${format(median)}, measured ${count === 1 ? "once" : `${count} times`}`;
    if (remembered === undefined) return null;
    const day = new Date(remembered.at).toISOString().slice(0, 10);
    return `${format(median)}, remembered from ${day}`;
  }
}

function format(milliseconds: number): string {
  return `${Number(milliseconds.toPrecision(3))} ms`;
}

function isPowerOfTwo(count: number): boolean {
  return (count & (count - 1)) === 0;
}
