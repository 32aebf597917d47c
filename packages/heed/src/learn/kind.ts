import type { Problem } from "@heed/core";
import type { Candidate } from "@heed/core/select";
import type { Remembered } from "./memory.js";

/** Times of a backend that are kept, and those of them whose median is its time. */
const [timesKept, timesOfMedian] = [16, 5];

/** Comparisons of a backend with the leader that count; the median of them is its place. */
const ratiosKept = 3;

/** A backend takes over if it needs at most this part of the leader's time: less may be chance. */
const clearlyFaster = 0.96;

/** Backends that take as many times as long as the leader are compared eight times less often, … */
const slow = 3;
/** … and never again: a single call would be noticed. */
const hopeless = 10;

/** Milliseconds by which a first call is longer at most: code that is not compiled, threads that sleep, cold caches. */
const coldStart = 2;

/** Backends that twice took as many times as long are known well enough. */
const clearlySlower = 1.5;

/** Calls between comparisons of a known backend with the leader: at first, and at most. */
const [firstWait, longestWait] = [16, 512];

/** Everything known of a class of problems on one backend. */
export interface Times {
  /** The last times, in ms. */
  readonly last: number[];
  /** How many there were in all. */
  count: number;
  /** Median ms of the last few, or what is remembered as long as there is none. */
  median: number;
  /** The last times of trials, each over what the leader took at that time. */
  ratios: number[];
  /** Trials since the last comparison: some overlap other calls, and are not timed. */
  attempts: number;
  /** Calls until the next comparison, once the backend is known. */
  wait: number;
  /** The number of calls at which that is due. */
  due: number;
  readonly remembered: Remembered | undefined;
}

/**
 * A class of problems, whose lengths lie between the same powers of two. Backends are compared with the leader by
 * calls that ran one soon after the other: what else the machine does changes the times of all of them.
 */
export class Kind {
  /** Backends that have a plan for {@link planned}, made ahead. */
  readonly ready: Set<Candidate> = new Set();
  planned: Problem | null = null;
  calls = 0;
  /** Milliseconds of all calls. */
  spent = 0;
  /** The backends that could run the last call. */
  candidates: readonly Candidate[] = [];
  /** The backend that listeners were told of. */
  told: Candidate | null = null;
  /** The leader until the next time is looked at; null if that is to be worked out. */
  settled: Candidate | null = null;
  /** The backend that the last trial was given to, until its time is known. */
  tried: Candidate | null = null;
  /** A trial that is to be repeated, see {@link mayBeCold}, and whether the next call repeats it. */
  repeated: {
    readonly candidate: Candidate;
    readonly milliseconds: number;
    begun: boolean;
  } | null = null;
  #leader: Candidate | null = null;
  readonly #times = new Map<string, Times>();
  readonly name: string;
  readonly #nameOf: (candidate: Candidate) => string;
  readonly #remembered: (by: string) => Remembered | undefined;

  /**
   * @param nameOf a backend's name in the state that its times hold for
   * @param remembered the time of an earlier process, by that name
   */
  constructor(
    name: string,
    nameOf: (candidate: Candidate) => string,
    remembered: (by: string) => Remembered | undefined,
  ) {
    this.name = name;
    this.#nameOf = nameOf;
    this.#remembered = remembered;
  }

  times(candidate: Candidate): Times {
    const name = this.#nameOf(candidate);
    let times = this.#times.get(name);
    if (times === undefined) {
      const remembered = this.#remembered(name);
      const median = remembered?.milliseconds ?? Number.POSITIVE_INFINITY;
      const waits = { wait: firstWait, due: 0 };
      times = { last: [], count: 0, median, ratios: [], attempts: 0, ...waits, remembered };
      this.#times.set(name, times);
    }
    return times;
  }

  /** The backend for the next call: the first, until another one is known to be faster. */
  leader<C extends Candidate>(candidates: readonly C[]): C {
    let leader = candidates.find((candidate) => candidate === this.#leader);
    leader ??= fastestRemembered(candidates, (candidate) => this.times(candidate));
    let least = clearlyFaster;
    let next = leader;
    for (const candidate of candidates) {
      const ratio = candidate === leader ? null : this.#ratio(candidate, leader);
      if (ratio === null || ratio >= least || !this.#wasFaster(candidate, leader)) continue;
      [next, least] = [candidate, ratio];
    }
    if (next !== leader) this.#lead(next, leader, least);
    this.#leader = next;
    return next;
  }

  /** Notes the time of a call. */
  note(times: Times, milliseconds: number): void {
    times.count += 1;
    keep(times.last, milliseconds, timesKept);
    times.median = median(times.last.slice(-timesOfMedian));
  }

  /**
   * Whether a trial took no less than the leader, and may only have done so because the backend had not just run: its threads
   * sleep, and its code and data are in no cache. The leader's calls have mostly come one soon after the other.
   */
  mayBeCold(leader: Candidate, milliseconds: number): boolean {
    const wanted = clearlyFaster * this.times(leader).median;
    return milliseconds >= wanted && milliseconds - coldStart < wanted;
  }

  /** Notes how a trial compares with the leader's last calls. */
  compare(candidate: Candidate, leader: Candidate, milliseconds: number): void {
    const times = this.times(candidate);
    const known = this.isKnown(candidate);
    times.attempts = 0;
    keep(times.ratios, milliseconds / this.times(leader).median, ratiosKept);
    times.due = this.calls + times.wait * (median(times.ratios) < slow ? 1 : 8);
    if (known) times.wait = Math.min(2 * times.wait, longestWait);
  }

  /** Whether a backend need not be tried to know its place. */
  isKnown(candidate: Candidate): boolean {
    const { ratios, remembered, last } = this.times(candidate);
    const least = Math.min(...ratios);
    if (ratios.length === 0) return remembered !== undefined;
    // The first time is often the slowest, of a short call many times.
    if (ratios.length === 1) return least >= slow && (last.at(-1) as number) > slow * coldStart;
    return ratios.length === ratiosKept || least > clearlySlower;
  }

  /** Whether a known backend is to be compared once more: the machine may have been busy with something else. */
  isDue(candidate: Candidate, leader: Candidate): boolean {
    if (this.calls < this.times(candidate).due) return false;
    return (this.#ratio(candidate, leader) ?? hopeless) < hopeless;
  }

  /** The time that a backend would take now; null if it is not known. */
  milliseconds(candidate: Candidate, leader: Candidate): number | null {
    const { median } = this.times(leader);
    const ratio = candidate === leader ? 1 : this.#ratio(candidate, leader);
    return ratio === null || !Number.isFinite(median) ? null : ratio * median;
  }

  /** A known backend's time over the leader's; null if it is not known. */
  #ratio(candidate: Candidate, leader: Candidate): number | null {
    if (!this.isKnown(candidate)) return null;
    const { ratios, remembered } = this.times(candidate);
    if (ratios.length > 0) return median(ratios);
    const than = this.times(leader);
    // Two times of the same origin, where there are.
    return (
      (remembered?.milliseconds ?? Number.NaN) / (than.remembered?.milliseconds ?? than.median)
    );
  }

  /** Whether a backend's shortest time is shorter than the leader's: others lengthen times, and never shorten any. */
  #wasFaster(candidate: Candidate, leader: Candidate): boolean {
    const [own, its] = [this.times(candidate).last, this.times(leader).last];
    return own.length === 0 || its.length === 0 || Math.min(...own) < Math.min(...its);
  }

  #lead(next: Candidate, before: Candidate, ratio: number): void {
    for (const times of this.#times.values()) {
      times.ratios = times.ratios.map((other) => other / ratio);
    }
    const [own, former] = [this.times(next), this.times(before)];
    former.ratios = Array(ratiosKept).fill(1 / ratio);
    own.ratios = [];
    for (const times of [own, former]) {
      times.wait = firstWait;
      times.due = this.calls + firstWait;
    }
  }
}

/** The fastest of the backends that are remembered; the first where none is. */
function fastestRemembered<C extends Candidate>(
  candidates: readonly C[],
  timesOf: (candidate: C) => Times,
): C {
  let fastest = candidates[0] as C;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const { milliseconds = Number.POSITIVE_INFINITY } = timesOf(candidate).remembered ?? {};
    if (milliseconds < least) [fastest, least] = [candidate, milliseconds];
  }
  return fastest;
}

function keep(list: number[], item: number, most: number): void {
  if (list.length === most) list.shift();
  list.push(item);
}

function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] as number;
}
