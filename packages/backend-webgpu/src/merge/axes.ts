import { rowMajorStrides } from "@heed/core";
import type { Range, Ranges, Strided } from "../execution/regions.js";

/** The rows of some tensors of one shape, along as few axes as their strides allow. */
export interface RowAxes {
  /** The sizes of the axes, of which there is at least one. */
  readonly sizes: readonly number[];
  /** The tensors with these axes; axes after those of the rows stay as they were. */
  readonly operands: readonly Strided[];
}

/**
 * Joins neighbouring axes that all of the tensors step through as through one, and drops axes of size 1:
 * row-major tensors get a single axis, whatever their rank.
 *
 * @param shape sizes of the rows' axes; nothing is empty
 * @param operands tensors with these axes, and any after them
 */
export function joinAxes(shape: readonly number[], operands: readonly Strided[]): RowAxes {
  const sizes: number[] = [];
  const strides = operands.map((): number[] => []);
  for (const [axis, size] of shape.entries()) {
    if (size === 1) continue;
    const next = operands.map((operand) => operand.strides[axis] as number);
    const last = sizes.length - 1;
    const joins = last >= 0 && strides.every((own, i) => own[last] === size * (next[i] as number));
    if (joins) sizes[last] = (sizes[last] as number) * size;
    else sizes.push(size);
    for (const [i, own] of strides.entries()) own[joins ? last : last + 1] = next[i] as number;
  }
  if (sizes.length === 0) {
    sizes.push(1);
    for (const own of strides) own.push(0);
  }
  return {
    sizes,
    operands: operands.map((operand, i) => ({
      ...operand,
      strides: [...(strides[i] as number[]), ...operand.strides.slice(shape.length)],
    })),
  };
}

/** A row-major tensor from the start of its buffer, with so many elements to a row. */
export function denseOperand(
  sizes: readonly number[],
  columns: number,
  elementBytes: number,
): Strided {
  return { offset: 0, strides: rowMajorStrides([...sizes, columns]), elementBytes };
}

/** Rows of a dispatch, axis by axis, and the columns that it computes of each. */
export type MergeRegion = Ranges<Readonly<Record<`axis${number}` | "columns", Range>>>;

/** The region of all rows and columns. */
export function wholeRegion(sizes: readonly number[], columns: number): MergeRegion {
  const rows = sizes.map((size, axis) => [`axis${axis}`, { first: 0, end: size }]);
  return { ...Object.fromEntries(rows), columns: { first: 0, end: columns } };
}

/** The rows of a region, one range an axis. */
export function rowRanges(region: MergeRegion, axes: number): Range[] {
  return Array.from({ length: axes }, (_, axis) => region[`axis${axis}`] as Range);
}
