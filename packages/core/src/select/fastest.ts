import { attention } from "../attention/operation.js";
import { type AttentionProblem, lengthClassKey } from "../attention/problem.js";
import type { SupportReason } from "../errors.js";
import type { Problem } from "../operation/problem.js";
import { isDeviceTensor } from "../tensor/host-tensor.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Candidate, Strategy, StrategyControl } from "./strategy.js";

/** Timed runs of each candidate, after one that is not timed; the shortest counts. */
const timedRuns = 3;

/**
 * A candidate whose timed runs so far, one or two, all take as many times as long as the shortest of the others is not
 * run again: a single one may be long by chance.
 */
const hopeless: readonly number[] = [10, 2];

/** Milliseconds up to which a run is repeated in any case: it costs little. */
const short = 100;

/** Milliseconds of a measurement, unless the caller says. */
export const defaultBudget = 2000;

/** Measurements kept; the oldest goes first. */
const measurementsKept = 1024;

/** The outcome of a measurement. */
interface Measured {
  readonly fastest: Candidate;
  /** Candidates that were not measured, since there was no time left. */
  readonly skipped: readonly Candidate[];
}

/** Measures each class of problems on its first call, which waits for it. */
export class FastestStrategy implements Strategy {
  /** The fastest backend by class of problem, and while it is being measured, the promise of it. */
  readonly #fastest = new Map<string, Measured | Promise<Measured>>();
  readonly #budget: number;
  readonly #now: () => number;
  #control: StrategyControl | null = null;

  /**
   * @param budget milliseconds after which no further run of a measurement begins
   * @param now a clock, in milliseconds
   */
  constructor(budget: number = defaultBudget, now: () => number = () => performance.now()) {
    this.#budget = budget;
    this.#now = now;
  }

  attach(control: StrategyControl): void {
    this.#control = control;
  }

  choose<C extends Candidate>(problem: Problem, candidates: readonly C[]): C | undefined {
    const measured = this.#fastest.get(classKey(problem));
    if (measured === undefined || measured instanceof Promise) return undefined;
    return candidates.find((candidate) => candidate === measured.fastest);
  }

  async measure<C extends Candidate>(
    problem: Problem,
    candidates: readonly C[],
    run: (candidate: C) => Promise<object>,
  ): Promise<C> {
    const key = classKey(problem);
    const known = this.#fastest.get(key);
    if (known instanceof Promise) return (await known).fastest as C;
    const measuring = this.#measure(candidates, run);
    this.#fastest.set(key, measuring);
    if (this.#fastest.size > measurementsKept) {
      this.#fastest.delete(this.#fastest.keys().next().value as string);
    }
    try {
      const measured = await measuring;
      if (this.#fastest.has(key)) this.#fastest.set(key, measured);
      const { fastest, skipped } = measured;
      const unknown = skipped.map(({ name }) => name).join(", ");
      const left = skipped.length === 0 ? "" : ` in the time there was, without ${unknown}`;
      this.#control?.chose(problem, fastest, `measured to be the fastest${left}`);
      return fastest as C;
    } catch (error) {
      this.#fastest.delete(key);
      throw error;
    }
  }

  whyNot(problem: Problem, candidate: Candidate, chosen: Candidate | undefined): SupportReason {
    if (chosen === undefined) {
      const message = "could run it; the first call measures which backend is fastest";
      return { code: "not-measured", message };
    }
    const measured = this.#fastest.get(classKey(problem));
    if (measured && "skipped" in measured && measured.skipped.includes(candidate)) {
      const message = `could run it, but was not measured within ${this.#budget} ms; ${chosen.name} was`;
      return { code: "not-measured", message };
    }
    return {
      code: "slower",
      message: `could run it, but ${chosen.name} was measured to be faster`,
    };
  }

  /**
   * Finds the candidate that runs a call in the shortest time. One that throws does not count as slow: its
   * error goes to the caller, since a backend that accepted the problem must run it.
   *
   * @param runOn runs the call once on a candidate
   */
  async #measure<C extends Candidate>(
    candidates: readonly C[],
    runOn: (candidate: C) => Promise<object>,
  ): Promise<Measured> {
    const end = this.#now() + this.#budget;
    let fastest = candidates[0] as C;
    let shortest = Number.POSITIVE_INFINITY;
    const skipped: C[] = [];
    for (const candidate of candidates) {
      // The first candidate always runs: without any time, the order decides.
      if (shortest < Number.POSITIVE_INFINITY && this.#now() >= end) {
        skipped.push(candidate);
        continue;
      }
      const time = await this.#shortestRun(() => runOn(candidate), shortest, end);
      if (time < shortest) [fastest, shortest] = [candidate, time];
    }
    return { fastest, skipped };
  }

  /**
   * Milliseconds of a candidate's shortest run. There are fewer runs of one that is far behind, and where no time
   * is left, when even the first counts.
   *
   * @param least the shortest run of the others so far
   */
  async #shortestRun(run: () => Promise<object>, least: number, end: number): Promise<number> {
    let shortest = Number.POSITIVE_INFINITY;
    for (let i = 0; i <= timedRuns; i++) {
      const start = this.#now();
      const outputs = Object.values(await run()) as (Tensor | undefined)[];
      // An asynchronous device is done when its output can be read.
      const [first] = outputs;
      if (first !== undefined && isDeviceTensor(first)) await first.read();
      const time = this.#now() - start;
      for (const t of outputs) if (t !== undefined && isDeviceTensor(t)) t.dispose();
      const over = this.#now() >= end;
      if (i > 0 || over) shortest = Math.min(shortest, time);
      const behind = shortest > (hopeless[i - 1] ?? Number.POSITIVE_INFINITY) * least;
      if (over || (behind && shortest > short)) break;
    }
    return shortest;
  }
}

/** Problems of one class share a measurement. */
export function classKey(problem: Problem): string {
  return problem.operation === attention.name
    ? lengthClassKey(problem as AttentionProblem)
    : `${problem.operation} ${problem.key}`;
}
