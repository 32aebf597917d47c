/** An output's name. */
export type OutputName = "output" | "logSumExp" | "weights" | "scores";

/** The element of an output with the largest error relative to its row's allowance. */
export interface WorstElement {
  readonly output: string;
  readonly index: readonly number[];
  readonly expected: number;
  readonly got: number;
  /** |got − expected| over what is allowed in this row. */
  readonly budgets: number;
}

export interface Verdict {
  /** The largest error over what was allowed; at most 1 passes. */
  readonly budgets: number;
  /** Σ(got − expected)² / Σ expected², the largest of the outputs'. */
  readonly nmse: number;
  readonly worst: WorstElement | null;
  /** Violations of rules that hold however numbers are rounded, each as a sentence. */
  readonly violations: readonly string[];
  /** The heads and rows in which errors are larger than allowed, one phrase for each output. */
  readonly where: readonly string[];
}

export function passes(verdict: Verdict): boolean {
  return verdict.budgets <= 1 && verdict.violations.length === 0;
}

export function summarise(
  comparisons: readonly Pick<Verdict, "worst" | "nmse">[],
  violations: readonly string[],
  where: readonly string[] = [],
): Verdict {
  let worst: WorstElement | null = null;
  let nmse = 0;
  for (const comparison of comparisons) {
    nmse = Math.max(nmse, comparison.nmse);
    if (comparison.worst && (worst === null || comparison.worst.budgets > worst.budgets)) {
      worst = comparison.worst;
    }
  }
  return { budgets: worst?.budgets ?? 0, nmse, worst, violations, where };
}
