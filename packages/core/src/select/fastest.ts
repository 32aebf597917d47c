import { attention } from "../attention/operation.js";
import { type AttentionProblem, lengthClassKey } from "../attention/problem.js";
import type { SupportReason } from "../errors.js";
import type { Problem } from "../operation/problem.js";
import { isDeviceTensor } from "../tensor/host-tensor.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Candidate, Strategy, StrategyControl } from "./strategy.js";

/** Timed runs of each candidate, after one that is not timed; the shortest counts. */
const timedRuns = 3;

/** Measurements kept; the oldest goes first. */
const measurementsKept = 1024;

/** Measures each class of problems on its first call, which waits for it. */
export class FastestStrategy implements Strategy {
  /** The fastest backend by class of problem, and while it is being measured, the promise of it. */
  readonly #fastest = new Map<string, Candidate | Promise<Candidate>>();

  #control: StrategyControl | null = null;

  attach(control: StrategyControl): void {
    this.#control = control;
  }

  choose<C extends Candidate>(problem: Problem, candidates: readonly C[]): C | undefined {
    const measured = this.#fastest.get(classKey(problem));
    return candidates.find((candidate) => candidate === measured);
  }

  async measure<C extends Candidate>(
    problem: Problem,
    candidates: readonly C[],
    run: (candidate: C) => Promise<object>,
  ): Promise<C> {
    const key = classKey(problem);
    const known = this.#fastest.get(key);
    if (known instanceof Promise) return known as Promise<C>;
    const measuring = fastestOf(candidates, run);
    this.#fastest.set(key, measuring);
    if (this.#fastest.size > measurementsKept) {
      this.#fastest.delete(this.#fastest.keys().next().value as string);
    }
    try {
      const fastest = await measuring;
      if (this.#fastest.has(key)) this.#fastest.set(key, fastest);
      this.#control?.chose(problem, fastest, "measured to be the fastest");
      return fastest;
    } catch (error) {
      this.#fastest.delete(key);
      throw error;
    }
  }

  whyNot(_problem: Problem, _candidate: Candidate, chosen: Candidate | undefined): SupportReason {
    return chosen === undefined
      ? {
          code: "not-measured",
          message: "could run it; the first call measures which backend is fastest",
        }
      : {
          code: "slower",
          message: `could run it, but ${chosen.name} was measured to be faster`,
        };
  }
}

/** Problems of one class share a measurement. */
export function classKey(problem: Problem): string {
  return problem.operation === attention.name
    ? lengthClassKey(problem as AttentionProblem)
    : `${problem.operation} ${problem.key}`;
}

/**
 * The candidate that runs a call in the shortest time. One that throws does not count as slow: its
 * error goes to the caller, since a backend that accepted the problem must run it.
 *
 * @param runOn runs the call once on a candidate
 */
async function fastestOf<C>(
  candidates: readonly C[],
  runOn: (candidate: C) => Promise<object>,
): Promise<C> {
  let fastest = candidates[0] as C;
  let shortest = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const time = await shortestRun(() => runOn(candidate));
    if (time < shortest) [fastest, shortest] = [candidate, time];
  }
  return fastest;
}

async function shortestRun(run: () => Promise<object>): Promise<number> {
  let shortest = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= timedRuns; i++) {
    const start = performance.now();
    const outputs = Object.values(await run()) as (Tensor | undefined)[];
    // An asynchronous device is done when its output can be read.
    const [first] = outputs;
    if (first !== undefined && isDeviceTensor(first)) await first.read();
    const time = performance.now() - start;
    for (const t of outputs) if (t !== undefined && isDeviceTensor(t)) t.dispose();
    if (i > 0) shortest = Math.min(shortest, time);
  }
  return shortest;
}
