import type { AttentionProblem, FloatDType, TypedArray } from "@heed/core";
import type { RuntimeTensor } from "../runtime/runtime.js";
import type { LeakSign } from "./graph/guard.js";
import { finiteRuns, holdsZero } from "./hidden-values.js";

/**
 * Whether hidden NaN or infinities may have reached the outputs of an unguarded run: see
 * {@link LeakSign}. False alarms are possible, as NaN and infinities that a row does see look the same.
 *
 * @param results the graph's outputs
 */
export function mayHaveLeaked(
  sign: LeakSign,
  problem: AttentionProblem,
  { output, leakSum }: Readonly<Record<string, RuntimeTensor>>,
): boolean {
  if (sign === "rows" && output) return rowsTell(problem, output);
  return leakSum !== undefined && !Number.isFinite((leakSum.data as Float32Array)[0]);
}

/**
 * Looks at the first element of every row, and at all elements of a few rows of each head:
 *
 * - A logit that is NaN or +∞ makes its whole row NaN, so the first element tells.
 * - A value that is NaN or ±∞ makes its column NaN or ±∞ in every row, whatever its weight (0 · ∞ and
 *   0 · NaN are NaN), except in rows that the graph has set to 0 because they see no key. So one row
 *   that is not such a row tells, and a first element other than 0 shows that it is none. The first,
 *   the last such row and the head's last row are looked at, since kernels that skip tiles of hidden
 *   keys read all keys in the last row at the latest.
 * - Where every first element is 0, all rows are looked at.
 *
 * That is `queryLength + valueDim` elements of each head, instead of their product.
 *
 * @param output `[batch, queryHeads, queryLength, valueDim]`
 */
function rowsTell(
  { batch, queryHeads, queryLength, valueDim }: AttentionProblem,
  output: RuntimeTensor,
): boolean {
  const elements = { data: output.data as TypedArray, dtype: output.type as FloatDType };
  const finite = finiteRuns(elements);
  const isZero = holdsZero(elements);
  const lastRow = queryLength - 1;
  for (let head = 0; head < batch * queryHeads; head++) {
    const start = head * queryLength * valueDim;
    if (!finite(start, queryLength, valueDim)) return true;
    let first = 0;
    while (first <= lastRow && isZero(start + first * valueDim)) first++;
    if (first > lastRow) {
      if (!finite(start, queryLength * valueDim, 1)) return true;
      continue;
    }
    let last = lastRow;
    while (isZero(start + last * valueDim)) last--;
    if (!finite(start + first * valueDim, valueDim, 1)) return true;
    if (last !== first && !finite(start + last * valueDim, valueDim, 1)) return true;
    if (last !== lastRow && !finite(start + lastRow * valueDim, valueDim, 1)) return true;
  }
  return false;
}
