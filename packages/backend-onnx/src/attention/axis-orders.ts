import type { BoundAttention } from "@heed/core";
import { canonicalOrder, storedOrder } from "../layout/axis-order.js";
import { canonicalOrders, type GraphSpec } from "./graph/spec.js";

/**
 * The orders in which a call's tensors are given to the graph; see {@link storedOrder}.
 *
 * @param stored the dtype that the graph takes
 * @returns `canonicalOrders` itself where all three are
 */
export function axisOrders(
  { query, key, value }: BoundAttention,
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
