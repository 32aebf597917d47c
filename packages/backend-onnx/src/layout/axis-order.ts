import { isContiguous, isDeviceTensor, rowMajorStrides, type Tensor } from "@heed/core";
import type { GraphBuilder, Value } from "../model/builder.js";

/** How an input of `[batch, heads, length, size]` lies in memory: the order of its axes. */
export type AxisOrder = readonly [number, number, number, number];

/** Row-major as the canonical shape says. */
export const canonicalOrder: AxisOrder = [0, 1, 2, 3];

/** Each head's elements side by side: of pages, so that a head's keys lie as those of a batch do. */
export const headsOrder: AxisOrder = [1, 0, 2, 3];

/**
 * The order in which a tensor's axes lie in memory, outermost first, if its elements lie without gaps:
 * `[0, 2, 1, 3]` for `[batch, length, heads, size]` data. The graph then puts them right, which spares
 * the host a copy. Null where no order of the axes does it.
 */
export function axisOrder(t: Tensor): AxisOrder | null {
  if (isContiguous(t)) return canonicalOrder;
  const { shape, strides = rowMajorStrides(shape) } = t;
  // The one object for it, so that the usual cases are told by identity.
  if (liesInOrder(shape, strides, headsOrder)) return headsOrder;
  const stride = (axis: number): number => strides[axis] as number;
  const size = (axis: number): number => shape[axis] as number;
  // Axes of size 1 lie anywhere: they stay where they are, and the others are sorted around them.
  const moving = canonicalOrder.filter((axis) => size(axis) > 1);
  const sorted = [...moving].sort((a, b) => stride(b) - stride(a) || a - b);
  let expected = 1;
  for (const axis of [...sorted].reverse()) {
    if (stride(axis) !== expected) return null;
    expected *= size(axis);
  }
  const order = canonicalOrder.map((axis) => (size(axis) > 1 ? (sorted.shift() as number) : axis));
  return order as unknown as AxisOrder;
}

/** Whether a tensor's elements lie without gaps in an order of its axes. */
function liesInOrder(
  shape: readonly number[],
  strides: readonly number[],
  order: AxisOrder,
): boolean {
  let expected = 1;
  for (let at = order.length - 1; at >= 0; at--) {
    const axis = order[at] as number;
    const size = shape[axis] as number;
    if (size > 1 && strides[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

/**
 * The order in which a tensor is given to a graph. A tensor that has to be copied anyway comes out row-major:
 * because of gaps, in host memory because of another dtype, and on the device because of an offset.
 *
 * @param stored the dtype that the graph reads
 */
export function storedOrder(t: Tensor, stored: string): AxisOrder {
  const copied = isDeviceTensor(t) ? (t.offset ?? 0) !== 0 : t.dtype !== stored;
  return (copied ? null : axisOrder(t)) ?? canonicalOrder;
}

/** Sizes in the order in which axes lie in memory. */
export function storedDims<T>(dims: readonly T[], order: AxisOrder): T[] {
  return order.map((axis) => dims[axis] as T);
}

/** Puts the axes of a stored tensor into the canonical order. */
export function canonicalAxes(g: GraphBuilder, stored: Value, order: AxisOrder): Value {
  if (order.every((axis, i) => axis === i)) return stored;
  return g.op("Transpose", [stored], { perm: [0, 1, 2, 3].map((axis) => order.indexOf(axis)) });
}
