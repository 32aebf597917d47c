import { type AttentionOutputs, type HostTensor, statisticsDType, toFloat64 } from "@heed/core";
import { unitRoundoff } from "../../../judge/roundoff.js";
import { cappingError } from "../judge/allowance.js";
import { naiveAttention } from "../judge/naive.js";
import type { Call } from "./transform.js";

type Outputs = AttentionOutputs<HostTensor>;

/** Largest difference between two correct evaluations of a call, by row. */
export interface Tolerance {
  readonly output: (row: number) => number;
  readonly logSumExp: (row: number) => number;
  /** Relative, for a single weight. */
  readonly weight: (row: number) => number;
  /** Whether a row sees a key. */
  readonly sees: (row: number) => boolean;
}

/**
 * A bound in advance, from the magnitudes of the problem alone: nothing is compared with an oracle.
 * With u the roundoff of the dtype, a that of its accumulators, P a row's largest Σ|scale·q·k| and R
 * what rounding a logit once may move it by (u·|logit|), it is off by at most δ = a·(D + 4)·P + 4·R
 * (plus {@link cappingError}), a weight by 2δ + 8u relatively, a sum of n terms by n·a more;
 * and there are two sides.
 */
export function toleranceOf(call: Call): Tolerance {
  const naive = naiveAttention(call);
  const { dtype, headDim, keyLength } = naive.problem;
  const u = unitRoundoff[dtype];
  const a = unitRoundoff[statisticsDType(dtype)];
  const at = (values: ArrayLike<number>, row: number): number => values[row] as number;
  const logit = (row: number): number =>
    a * (headDim + 4) * at(naive.productMagnitude, row) +
    4 * at(naive.logitRounding, row) +
    cappingError(naive.problem);
  const weight = (row: number): number => 2 * (2 * logit(row) + 8 * u);
  return {
    weight,
    output: (row) => at(naive.valueMagnitude, row) * (weight(row) + 4 * keyLength * a + 4 * u),
    logSumExp: (row) => {
      const size = at(naive.logSumExp, row);
      return (
        2 * (logit(row) + a * (keyLength + 8)) +
        4 * a * (Number.isFinite(size) ? Math.abs(size) : 0)
      );
    },
    sees: (row) => at(naive.seesAny, row) === 1,
  };
}

/** The outputs that a law expects, as functions of the other call's. */
export interface Expectation {
  /** Default: the same. */
  readonly output?: (x: number) => number;
  /** Default: the same. */
  readonly logSumExp?: (x: number) => number;
  /** Rows of which nothing is expected. */
  readonly skip?: (row: number) => boolean;
}

/**
 * Compares two calls' outputs and log-sum-exps.
 *
 * @param tolerance of the second call, whose rows are those of both
 * @returns a sentence on the first row that differs by more than it may; or `null`
 */
export function difference(
  one: Outputs,
  other: Outputs,
  tolerance: Tolerance,
  expect: Expectation = {},
): string | null {
  const same = (x: number): number => x;
  for (const name of ["output", "logSumExp"] as const) {
    const [a, b] = [one[name], other[name]];
    if (!a || !b) continue;
    const values = toFloat64(a);
    const expected = toFloat64(b).map(expect[name] ?? same);
    if (values.length !== expected.length)
      return `${name} has ${values.length} elements instead of ${expected.length}`;
    const rowSize = name === "output" ? (b.shape[3] as number) : 1;
    for (let at = 0; at < values.length; at++) {
      const row = Math.floor(at / rowSize);
      if (expect.skip?.(row)) continue;
      const [got, want] = [values[at] as number, expected[at] as number];
      if (got === want) continue;
      if (Number.isNaN(got)) return `${name}, row ${row}, is NaN`;
      const allowed = tolerance[name](row);
      if (!(Math.abs(got - want) <= allowed)) {
        if (allowed === 0) return `${name}, row ${row}: ${got}, where only ${want} can be right`;
        return `${name}, row ${row}: ${got} and ${want} differ by more than the ${allowed.toExponential(1)} that rounding can explain`;
      }
    }
  }
  return null;
}
