import {
  type AttentionInputs,
  type HostTensor,
  isContiguous,
  isDeviceTensor,
  type Tensor,
} from "@heed/core";
import { type AxisOrder, canonicalOrder, canonicalOrders, type GraphSpec } from "./graph/spec.js";

/**
 * The order in which a tensor's axes lie in memory, outermost first, if its elements lie without gaps:
 * `[0, 2, 1, 3]` for `[batch, length, heads, size]` data. The graph then puts them right, which spares
 * the host a copy. Null where no order of the axes does it.
 */
export function axisOrder(t: HostTensor): AxisOrder | null {
  if (isContiguous(t)) return canonicalOrder;
  const { shape, strides } = t;
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
  // The one object for it, so that the usual case is told by identity.
  return order.every((axis, i) => axis === i) ? canonicalOrder : (order as unknown as AxisOrder);
}

/**
 * The orders in which a call's tensors are given to the graph. Those that the host has to copy anyway,
 * into gaps closed or another dtype, come out row-major, and those on the device are.
 *
 * @param stored the dtype that the graph takes
 * @returns `canonicalOrders` itself where all three are
 */
export function axisOrders(
  { query, key, value }: AttentionInputs,
  stored: string,
): GraphSpec["order"] {
  const orders = {
    query: storedOrder(query, stored),
    key: storedOrder(key, stored),
    value: storedOrder(value, stored),
  };
  const canonical =
    orders.query === canonicalOrder &&
    orders.key === canonicalOrder &&
    orders.value === canonicalOrder;
  return canonical ? canonicalOrders : orders;
}

function storedOrder(t: Tensor, stored: string): AxisOrder {
  if (isDeviceTensor(t) || t.dtype !== stored) return canonicalOrder;
  return axisOrder(t) ?? canonicalOrder;
}
