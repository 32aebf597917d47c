import {
  type BoundMerge,
  type FloatDType,
  type HostTensor,
  type MergeOutputs,
  merge,
  statisticsDType,
  toFloat64,
} from "@heed/core";
import type { Arithmetic } from "../../judge/arithmetic.js";
import { type Comparison, compareRows } from "../../judge/compare.js";
import { formViolations } from "../../judge/form.js";
import type { Leniency } from "../../judge/leniency.js";
import { finiteOr0, unitRoundoff } from "../../judge/roundoff.js";
import { summarise, type Verdict } from "../../judge/verdict.js";
import { describeRows } from "../../judge/where.js";
import type { MergeCall } from "./build.js";
import { mergeWith } from "./mistakes.js";

/** Roundings of an exponential, a logarithm, a division and a product that a lucky naive row hides. */
const roundings = 8;

/**
 * Judges a call's outputs against float64: in each row twice the error of the naive evaluation, and a
 * floor that it may not show. With u the unit roundoff of the outputs, a that of the accumulators, P
 * parts, and of a row V the largest |output| and L the largest |log-sum-exp| of the parts that have
 * seen keys:
 *
 * - A weight exp(lse − maximum)/sum has a difference that is rounded once: its effect d·exp(−d)·a, for
 *   a difference d, is below a. With the other roundings an output is off by (8 + √P)·a·V, by the
 *   probabilistic bound for sums, and is rounded once at the end, for which 2u of itself are allowed.
 * - The logarithm of a sum from 1 to P is off by (8 + √P)·a, and the result is rounded to its own size.
 * - A log-sum-exp that is wider than the accumulators may be rounded to them: a·L, twice in a weight.
 * - float64 is judged by float64, whose own error is allowed too.
 * - Near 0, numbers are rounded to the spacing of the subnormal ones, or flushed: each of the P products,
 *   and the result.
 *
 * A row that has seen no key must be 0 and −∞, to the bit. NaN spoils its own row or element alone.
 *
 * @param recorded what to compare with; default the reference. It may err as much, and its parts may
 *   have been rounded to the call's dtypes: an output by u·V, and a log-sum-exp by a·L
 */
export function judgeMerge(
  call: MergeCall,
  outputs: MergeOutputs<HostTensor>,
  arithmetic: Arithmetic,
  recorded?: MergeOutputs<HostTensor>,
): Verdict {
  const problem = merge.describe(call);
  const { rows, valueDim, dtype, shape } = problem;
  const statistics = statisticsDType(dtype);
  const whole = [...shape, valueDim];
  const violations = formViolations(merge, problem, outputs);
  if (violations.length > 0) return summarise([], violations);
  const bound = merge.bind(problem, call) as BoundMerge<HostTensor>;
  const oracle = merge.reference(bound) as MergeOutputs<HostTensor>;
  const expected = recorded ?? oracle;
  const naive = mergeWith(call, {});
  const sizes = rowSizes(call);
  const { tiny } = arithmetic;
  const [u, a] = [unitRoundoff[dtype], unitRoundoff[statistics]];
  const sides = recorded || dtype === "float64" ? 2 : 1;
  const wide = problem.logSumExpDType === "float64" && statistics !== "float64";
  const sum = (roundings + Math.sqrt(problem.parts)) * a;
  const moved = (row: number): number =>
    (wide ? a * at(sizes.lse, row) : 0) + (recorded ? a * at(sizes.lse, row) : 0);
  const floors = {
    output: (row: number, x: number): number =>
      sizes.sees[row] === 0
        ? 0
        : sides * (sum * at(sizes.value, row) + 2 * u * Math.abs(finiteOr0(x))) +
          (2 * moved(row) + (recorded ? u : 0)) * at(sizes.value, row) +
          2 * tiny[dtype] +
          problem.parts * tiny[statistics],
    logSumExp: (row: number, x: number): number =>
      sizes.sees[row] === 0 ? 0 : sides * (sum + 2 * a * Math.abs(finiteOr0(x))) + moved(row),
  };
  const compare = (name: "output" | "logSumExp", size: number, type: FloatDType): Comparison => {
    const values = toFloat64(expected[name]);
    return compareRows({
      name,
      shape: name === "output" ? whole : shape,
      rowSize: size,
      dtype: type,
      got: toFloat64(outputs[name]),
      expected: values,
      naive: toFloat64(naive[name]),
      oracle: toFloat64(oracle[name]),
      factor: 2 * sides,
      floor: floors[name],
      leniency: (_, index): Leniency =>
        !arithmetic.nonFinite && Number.isNaN(values[index]) ? "anything" : "none",
    });
  };
  const comparisons = [
    ...(valueDim > 0 ? [compare("output", valueDim, dtype)] : []),
    compare("logSumExp", 1, statistics),
  ];
  return summarise(
    comparisons,
    [],
    comparisons
      .filter(({ wrongRows }) => wrongRows.length > 0)
      .map(({ name, wrongRows }) => `${name} is ${describeRows(wrongRows, [1, 1, rows])}`),
  );
}

/**
 * By how much two correct evaluations of a call may differ, from the magnitudes alone: nothing is
 * compared with an oracle. The terms are those of {@link judgeMerge}, with the worst case of P parts
 * in place of √P.
 *
 * @param steps how often a result is stored in its dtype on the way, and read again
 */
export function mergeTolerance(call: MergeCall, steps = 0) {
  const { parts, dtype } = merge.describe(call);
  const [u, a] = [unitRoundoff[dtype], unitRoundoff[statisticsDType(dtype)]];
  const sizes = rowSizes(call);
  const sum = 2 * (roundings + 2 * parts) * a;
  return {
    output: (row: number): number =>
      at(sizes.value, row) * ((1 + steps) * (sum + 4 * u) + 4 * steps * a * at(sizes.lse, row)),
    logSumExp: (row: number): number => (1 + steps) * (sum + 4 * a * at(sizes.lse, row)),
    sees: (row: number): boolean => sizes.sees[row] === 1,
  };
}

const at = (values: ArrayLike<number>, row: number): number => values[row] as number;

interface RowSizes {
  /** The largest finite |output| of the parts that have seen keys. */
  readonly value: Float64Array;
  /** The largest finite |log-sum-exp|. */
  readonly lse: Float64Array;
  /** 1 where any part has seen keys. */
  readonly sees: Uint8Array;
}

function rowSizes(call: MergeCall): RowSizes {
  const { rows, valueDim } = merge.describe(call);
  const sizes = {
    value: new Float64Array(rows),
    lse: new Float64Array(rows),
    sees: new Uint8Array(rows),
  };
  for (const { output, logSumExp } of call.parts) {
    const [values, lses] = [toFloat64(output), toFloat64(logSumExp)];
    for (const [row, lse] of lses.entries()) {
      if (lse === Number.NEGATIVE_INFINITY) continue;
      sizes.sees[row] = 1;
      sizes.lse[row] = Math.max(at(sizes.lse, row), finiteOr0(Math.abs(lse)));
      for (let i = row * valueDim; i < (row + 1) * valueDim; i++) {
        sizes.value[row] = Math.max(at(sizes.value, row), finiteOr0(Math.abs(at(values, i))));
      }
    }
  }
  return sizes;
}
