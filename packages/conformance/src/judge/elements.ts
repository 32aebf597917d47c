import { type FloatDType, type HostTensor, toFloat64 } from "@heed/core";
import type { Arithmetic } from "./arithmetic.js";
import { type Comparison, type ComparisonInput, compareRows } from "./compare.js";
import type { Leniency } from "./leniency.js";
import { summarise, type Verdict } from "./verdict.js";
import { describeRows } from "./where.js";

/** Elements that are judged one by one, each against an error that is allowed for itself alone. */
export type ElementsInput = Pick<
  ComparisonInput,
  "name" | "shape" | "dtype" | "got" | "expected" | "floor" | "leniency"
>;

/** Compares element by element: "rows" of the result and of `floor` are flat indices. */
export function compareElements(input: ElementsInput): Comparison {
  const { expected } = input;
  return compareRows({ ...input, rowSize: 1, naive: expected, oracle: expected, factor: 1 });
}

/** The rows along the last axis that have wrong elements, in words; none if no element is wrong. */
export function whereElements({ name, shape, wrongRows }: Comparison): string[] {
  if (wrongRows.length === 0) return [];
  const size = shape.at(-1) as number;
  const wrong = [...new Set(wrongRows.map((at) => Math.floor(at / size)))];
  return [`${name} is ${describeRows(wrong, rowAxes(shape.slice(0, -1)))}`];
}

/** The axes of rows as batch, heads and positions: tensors without heads have one, and axes between are put together. */
function rowAxes(axes: readonly number[]): [batch: number, heads: number, positions: number] {
  const batch = axes.length > 1 ? (axes[0] as number) : 1;
  return [batch, axes.slice(1, -1).reduce((a, b) => a * b, 1), axes.at(-1) ?? 1];
}

/**
 * Judges the output of an operation whose elements are computed each by itself. NaN may be anything on arithmetic
 * that has none.
 *
 * @param expected in row-major order
 * @param floor error that is allowed of the element at a flat index
 */
export function judgeElements(
  output: HostTensor,
  expected: Float64Array,
  { nonFinite }: Arithmetic,
  floor: (at: number) => number,
): Verdict {
  const comparison = compareElements({
    name: "output",
    shape: output.shape,
    dtype: output.dtype as FloatDType,
    got: toFloat64(output),
    expected,
    floor,
    leniency: (at): Leniency => (!nonFinite && Number.isNaN(expected[at]) ? "anything" : "none"),
  });
  return summarise([comparison], [], whereElements(comparison));
}
