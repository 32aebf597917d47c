/** A candidate that is compiled, with inputs to run on. */
export interface Trial {
  /**
   * Runs once and compares the results with those of the rule's choice, which is opened first.
   *
   * @returns null if they agree, otherwise how they differ, in words
   */
  check(): Promise<string | null>;
  /** Milliseconds of one call. */
  time(): Promise<number>;
  dispose(): void;
}

/** The result of a candidate. */
export type Outcome =
  /** Milliseconds of a call, the least of the runs; `ratio`: of the rule's time to this one's, the median over rounds, where it was among the last. */
  | { readonly status: "measured"; readonly ms: number; readonly ratio: number | null }
  /** Its results differ from those of the rule's choice. */
  | { readonly status: "wrong"; readonly reason: string }
  /** It did not compile, or did not run. */
  | { readonly status: "failed"; readonly reason: string }
  /** There was no time left for it. */
  | { readonly status: "skipped" };

/** A candidate and what came of it. */
export interface Tried<C> {
  readonly candidate: C;
  readonly outcome: Outcome;
}

/** The result of a search. */
export interface Found<C> {
  /** The fastest candidate; the rule's choice unless another is faster beyond doubt. */
  readonly best: C;
  /**
   * The rule's time divided by the best one's, the median over rounds; 1 for the rule's choice itself. Where there was no
   * time for rounds, of their single runs.
   */
  readonly gain: number;
  /** Whether `best` is more than what the rule says: something else ran, and there was time to compare it. */
  readonly known: boolean;
  /** Every candidate in the order in which they were tried, the rule's choice first. */
  readonly tried: readonly Tried<C>[];
}

/** The parts of a search that depend on what is searched. */
export interface Subject<C> {
  /** The rule's choice. */
  readonly rule: C;
  /** Further candidates, the most promising stage first, and the most promising of a stage. */
  readonly stages: readonly (readonly C[])[];
  /** Variants of the fastest so far, tried after each stage; the most promising first. */
  variants(best: C, tried: readonly C[]): readonly C[];
  /** Candidates that are compiled while another one runs. */
  readonly ahead: number;
  /** Compiles a candidate. @throws (rejects) anything, where that fails */
  open(candidate: C): Promise<Trial>;
  /** Says whether an error means that nothing more can be measured: the device is lost. */
  isFatal(error: unknown): boolean;
  /** Is told of each candidate before it runs for the first time. */
  onTry?(candidate: C): void;
  /** A clock in milliseconds. */
  now(): number;
}

/** Part of the time after which no further candidate begins: the rest is for comparing the fastest with the rule's. */
const searchingPart = 0.65;
/** A candidate has to be this many times as fast as the rule's choice: less may be chance, and changes bits for nothing. */
const leastGain = 1.03;
/** The same where there was no time for rounds: single runs, even the shortest of a few, may be off by half. */
const leastGainOfRuns = 1.5;
/** Candidates that are compared with the rule's choice by turns: single runs are noisy. */
const finalists = 2;
/** Rounds that decide, in which each of them runs once. */
const fewestRounds = 3;
const mostRounds = 25;
/** Runs of a candidate before that. */
const quickRuns = 3;
/** A candidate whose time is this many times the shortest is given up. */
const farBehind = 1.3;

/** A candidate that ran correctly. */
interface Runner<C> {
  readonly candidate: C;
  readonly trial: Trial;
  /** Least time so far. */
  ms: number;
}

/**
 * Finds the fastest of several candidates within a time. The rule's choice is measured first and wins unless another
 * one, whose results agree with its own, is faster in most rounds. No candidate begins when the time is over, or is
 * less than another one took to be compiled and run once; one that compiles too long is left behind. So the search ends
 * no later than the time and one measurement after the rule's choice has run once.
 *
 * @param budget milliseconds beside those that the rule's choice takes to be compiled and run once
 * @throws (rejects) what the rule's choice throws, and any error that `isFatal` names
 */
export async function search<C>(subject: Subject<C>, budget: number): Promise<Found<C>> {
  const run = new Search(subject);
  try {
    return await run.all(budget);
  } finally {
    run.dispose();
  }
}

class Search<C> {
  readonly #subject: Subject<C>;
  /** Time at which candidates stop to begin, and at which everything stops. */
  #lastStart = 0;
  #end = 0;
  /** The longest that a candidate has taken to be compiled and run once: some drivers compile in the first run. */
  #longestFirst = 0;
  readonly #tried: Tried<C>[] = [];
  /** Candidates that may still win. */
  readonly #runners: Runner<C>[] = [];
  /** Candidates that are being compiled, or are compiled and wait. */
  readonly #opening = new Map<C, Promise<Trial>>();

  constructor(subject: Subject<C>) {
    this.#subject = subject;
  }

  async all(budget: number): Promise<Found<C>> {
    const { rule: candidate, stages } = this.#subject;
    const rule = await this.#firstRun(() => this.#openRule(candidate));
    // A first call would have taken as long until here.
    const started = this.#subject.now();
    this.#lastStart = started + searchingPart * budget;
    this.#end = started + budget;
    this.#runners.push(rule);
    // Without time for any other candidate, there is nothing to compare its time with.
    if (this.#mayBegin) await this.#timeQuickly(rule, Number.POSITIVE_INFINITY);
    const known = [candidate];
    for (const stage of stages) {
      known.push(...stage);
      await this.#tryAll(stage);
      const variants = this.#subject.variants(this.#fastest.candidate, known);
      known.push(...variants);
      await this.#tryAll(variants);
    }
    const { best, gain, ratios, undecided } = await this.#decide(rule);
    const finished = this.#runners.map(
      (runner): Tried<C> => ({
        candidate: runner.candidate,
        outcome:
          runner.ms === Number.POSITIVE_INFINITY
            ? { status: "skipped" }
            : {
                status: "measured",
                ms: runner.ms,
                ratio: ratios.get(runner.candidate) ?? null,
              },
      }),
    );
    const tried = [...finished, ...this.#tried];
    const ran = tried.some(
      (one) => one.candidate !== candidate && one.outcome.status !== "skipped",
    );
    return { best, gain, known: ran && !undecided, tried };
  }

  dispose(): void {
    for (const { trial } of this.#runners) trial.dispose();
    for (const opening of this.#opening.values()) discard(opening);
  }

  /** @throws Error (rejects) if its results are of no use as a reference */
  async #openRule(candidate: C): Promise<Runner<C>> {
    this.#subject.onTry?.(candidate);
    const trial = await this.#subject.open(candidate);
    const useless = await trial.check();
    if (useless === null) return { candidate, trial, ms: Number.POSITIVE_INFINITY };
    trial.dispose();
    throw new Error(`there is nothing to compare results with: ${useless}`);
  }

  async #tryAll(candidates: readonly C[]): Promise<void> {
    for (const [i, candidate] of candidates.entries()) {
      let outcome: Outcome | null = { status: "skipped" };
      if (this.#mayBegin) {
        for (const next of candidates.slice(i, i + 1 + this.#subject.ahead)) this.#open(next);
        outcome = await this.#try(candidate);
      }
      if (outcome !== null) this.#tried.push({ candidate, outcome });
    }
  }

  /** Whether there is time for a candidate that takes as long as others did: it cannot be interrupted. */
  get #mayBegin(): boolean {
    const now = this.#subject.now();
    return now < this.#lastStart && now + this.#longestFirst <= this.#end;
  }

  async #firstRun<R>(run: () => Promise<R>): Promise<R> {
    const before = this.#subject.now();
    try {
      return await run();
    } finally {
      this.#longestFirst = Math.max(this.#longestFirst, this.#subject.now() - before);
    }
  }

  #open(candidate: C): void {
    if (this.#opening.has(candidate)) return;
    const opening = this.#subject.open(candidate);
    // Whoever waits for it hears of a failure; it may be that nobody does.
    opening.catch(() => {});
    this.#opening.set(candidate, opening);
  }

  /** @returns null for a candidate that was added to the runners */
  async #try(candidate: C): Promise<Outcome | null> {
    const opening = this.#opening.get(candidate) as Promise<Trial>;
    let trial: Trial | null = null;
    try {
      const opened = await this.#firstRun(async () => {
        trial = await inTime(opening, this.#lastStart - this.#subject.now());
        // It stays among those that are being compiled, and is disposed at the end.
        if (trial === null) return null;
        this.#opening.delete(candidate);
        this.#subject.onTry?.(candidate);
        return { trial, reason: await trial.check() };
      });
      if (opened === null) return { status: "skipped" };
      const { reason } = opened;
      trial = opened.trial;
      if (reason !== null) {
        trial.dispose();
        return { status: "wrong", reason };
      }
      // It took longer than the others did: timing it would take as long again.
      if (this.#subject.now() >= this.#end) {
        trial.dispose();
        return { status: "skipped" };
      }
      const runner = { candidate, trial, ms: Number.POSITIVE_INFINITY };
      await this.#timeQuickly(runner, this.#fastest.ms);
      if (runner.ms <= farBehind * this.#fastest.ms) {
        this.#runners.push(runner);
        return null;
      }
      trial.dispose();
      return { status: "measured", ms: runner.ms, ratio: null };
    } catch (error) {
      this.#opening.delete(candidate);
      trial?.dispose();
      if (this.#subject.isFatal(error)) throw error;
      return { status: "failed", reason: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Takes the least of a few runs; one run of a candidate that is far behind. */
  async #timeQuickly(runner: Runner<C>, fastest: number): Promise<void> {
    for (let i = 0; i < quickRuns; i++) {
      runner.ms = Math.min(runner.ms, await runner.trial.time());
      const over = this.#subject.now() + runner.ms >= this.#lastStart;
      if (over || runner.ms > farBehind * fastest) return;
    }
  }

  get #fastest(): Runner<C> {
    return this.#runners.reduce((fastest, runner) => (runner.ms < fastest.ms ? runner : fastest));
  }

  /** Runs the fastest candidates and the rule's choice by turns. */
  async #decide(rule: Runner<C>): Promise<{
    readonly best: C;
    readonly gain: number;
    readonly ratios: ReadonlyMap<C, number>;
    /** Whether one may be faster than the rule's choice, which stays. */
    readonly undecided: boolean;
  }> {
    const faster = this.#runners
      .filter((runner) => runner !== rule && runner.ms < rule.ms)
      .sort((a, b) => a.ms - b.ms)
      .slice(0, finalists);
    const pairs = new Map(faster.map((runner): [Runner<C>, number[]] => [runner, []]));
    const roundMs = [rule, ...faster].reduce((sum, { ms }) => sum + ms, 0);
    for (let round = 0; faster.length > 0 && round < mostRounds; round++) {
      if (this.#subject.now() + roundMs > this.#end) break;
      const times = new Map<Runner<C>, number>();
      const order = [rule, ...faster];
      // Nobody always runs first, or after the same one.
      const turned = [
        ...order.slice(round % order.length),
        ...order.slice(0, round % order.length),
      ];
      for (const runner of turned) {
        const ms = await runner.trial.time();
        runner.ms = Math.min(runner.ms, ms);
        times.set(runner, ms);
      }
      const ruleMs = times.get(rule) as number;
      for (const [runner, ratios] of pairs) ratios.push(ruleMs / (times.get(runner) as number));
    }
    const ratios = new Map<C, number>();
    let best = rule.candidate;
    let gain = 1;
    let uncompared = false;
    for (const [{ candidate, ms }, all] of pairs) {
      const compared = all.length >= fewestRounds;
      const ratio = compared ? median(all) : rule.ms / ms;
      if (compared) ratios.set(candidate, ratio);
      const won = all.filter((pair) => pair > 1).length;
      const faster = compared
        ? ratio >= leastGain && 3 * won >= 2 * all.length
        : ratio >= leastGainOfRuns;
      if (faster && ratio > gain) {
        best = candidate;
        gain = ratio;
      }
      uncompared ||= !compared;
    }
    return { best, gain, ratios, undecided: uncompared && best === rule.candidate };
  }
}

/** Disposes a trial when it is there. */
function discard(opening: Promise<Trial>): void {
  opening.then((trial) => trial.dispose()).catch(() => {});
}

/** Waits for a trial no longer than so many milliseconds; null if it comes later. */
async function inTime(opening: Promise<Trial>, ms: number): Promise<Trial | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  try {
    return await Promise.race([opening, late]);
  } finally {
    clearTimeout(timer);
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[middle - 1], sorted[middle]] as [number, number];
  return sorted.length % 2 === 1 ? high : (low + high) / 2;
}
