import {
  judge,
  judgeRows,
  passes,
  type Verdict as SuiteVerdict,
  sampleRows,
} from "@heed/conformance";
import {
  type AttentionInputs,
  attentionWork,
  contiguous,
  describeProblem,
  type HostTensor,
} from "@heed/core";

/** The judgement of one output. */
export interface Verdict {
  /** The worst row's error, where 1 is the most that is tolerated; null where it is not a number. */
  readonly errorInBudgets: number | null;
  /** The errors found, and their places; null if the output is right. */
  readonly wrong: string | null;
}

/** Judges outputs of one call, any number of them. */
export type Judge = (output: HostTensor) => Verdict;

/** Rows looked at in a call too large to be evaluated as a whole, in float64 and naively. */
const sampledRows = 48;
/** Operations up to which it is looked at as a whole; that takes about a tenth of a second. */
const mostFlops = 2.5e7;

/** A judge of a call's outputs by the conformance suite's budgets. */
export function prepareJudge(inputs: AttentionInputs<HostTensor>): Judge {
  const problem = describeProblem(inputs);
  const shape = [problem.batch, problem.queryHeads, problem.queryLength, problem.valueDim];
  const whole = attentionWork(problem, inputs).flops <= mostFlops;
  const rows = whole ? [] : sampleRows(inputs, sampledRows);
  return (output) => {
    // Rows of another shape cannot even be found.
    if (String(output.shape) !== String(shape)) {
      const got = `[${output.shape.join(", ")}]`;
      return { errorInBudgets: null, wrong: `its shape is ${got}, not [${shape.join(", ")}]` };
    }
    if (whole) return translate(judge(inputs, { output: contiguous(output) }));
    return worstOf(rows.map((row) => translate(judgeRows(inputs, { output }, [row]), row)));
  };
}

/** The worst of at least one. */
function worstOf(verdicts: readonly Verdict[]): Verdict {
  const badness = ({ errorInBudgets, wrong }: Verdict): number =>
    errorInBudgets === null ? Number.POSITIVE_INFINITY : errorInBudgets + (wrong === null ? 0 : 1);
  return verdicts.reduce((a, b) => (badness(b) > badness(a) ? b : a));
}

/** @param row the row that was judged, where it was one alone */
function translate(verdict: SuiteVerdict, row?: readonly number[]): Verdict {
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
