import type { Workload } from "../workloads/workload.js";

/** Tells how far a run is. */
export interface TimeLeft {
  /** Call it when a case is done. */
  done(at: number): void;
  estimate(): {
    /** From 0 to 1. */
    readonly share: number;
    /** null until a case is done. */
    readonly secondsLeft: number | null;
  };
}

/**
 * A case's part of a run: one for the time that is spent on each, and more for what has to be
 * computed, which is long for the slowest.
 */
export function weightOf({ flops }: Pick<Workload, "flops">): number {
  return 1 + flops / 2e9;
}

/** @param now in ms */
export function timeLeft(
  workloads: readonly Pick<Workload, "flops">[],
  now: () => number = () => performance.now(),
): TimeLeft {
  const total = workloads.reduce((sum, workload) => sum + weightOf(workload), 0);
  const start = now();
  let finished = 0;
  return {
    done: (at) => {
      finished += weightOf(workloads[at] as Pick<Workload, "flops">);
    },
    estimate: () => {
      const share = finished / total;
      const elapsed = (now() - start) / 1000;
      return { share, secondsLeft: share > 0 ? (elapsed * (1 - share)) / share : null };
    },
  };
}
