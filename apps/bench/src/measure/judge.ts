import { passes, type Verdict as SuiteVerdict } from "@heed/conformance";
import type { HostTensor } from "@heed/core";

/** Outputs of a call by name, e.g. `output`, in JavaScript's memory. */
export type Outputs = Readonly<Record<string, HostTensor>>;

/** The judgement of one call's outputs. */
export interface Verdict {
  /** The worst row's error, where 1 is the most that is tolerated; null where it is not a number. */
  readonly errorInBudgets: number | null;
  /** The errors found, and their places; null if the outputs are right. */
  readonly wrong: string | null;
}

/** Judges outputs of one call, any number of them. */
export type Judge = (outputs: Outputs) => Verdict;

/** The worst of at least one. */
export function worstOf(verdicts: readonly Verdict[]): Verdict {
  const badness = ({ errorInBudgets, wrong }: Verdict): number =>
    errorInBudgets === null ? Number.POSITIVE_INFINITY : errorInBudgets + (wrong === null ? 0 : 1);
  return verdicts.reduce((a, b) => (badness(b) > badness(a) ? b : a));
}

/**
 * A verdict of the conformance suite in the benchmark's terms.
 *
 * @param row the index of the row that was judged, where it was one alone
 */
export function translate(verdict: SuiteVerdict, row?: readonly number[]): Verdict {
  const { budgets, worst, violations } = verdict;
  // An output of the wrong form is not compared at all.
  const compared = worst !== null || passes(verdict);
  const errorInBudgets = compared && Number.isFinite(budgets) ? budgets : null;
  if (passes(verdict)) return { errorInBudgets, wrong: null };
  const parts = [...violations];
  if (worst && worst.budgets > 1) {
    const index = row ? [...row, worst.index.at(-1)] : worst.index;
    parts.push(`${worst.got} instead of ${worst.expected} at [${index.join(", ")}]`);
  }
  return { errorInBudgets, wrong: parts.join("; ") };
}
