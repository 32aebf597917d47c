import type { GraphBuilder, Value } from "../../model/builder.js";

/**
 * Products with keys and values that stay in their pages, `[pages, kvHeads, pageSize, size]`. Keys are in another order then,
 * which a sum over keys does not mind.
 */
export interface PoolSpec {
  readonly pageSize: number;
  /**
   * The matrices that are multiplied: the keys of one page, or one key of every page, of which short pages have longer
   * ones. Keys are in the order of pages, or of places in a page.
   */
  readonly batch: "pages" | "places";
}

/** Page sizes from which the products of one page each are faster. */
const longPage = 48;

export function poolSpec(pageSize: number): PoolSpec {
  return { pageSize, batch: pageSize >= longPage ? "pages" : "places" };
}

/**
 * Dot products, `[1, kvHeads, rows, keys]`.
 *
 * @param query `[1, kvHeads, rows, size]`
 * @param key `[pages, kvHeads, pageSize, size]`
 */
export function poolProduct(g: GraphBuilder, { batch }: PoolSpec, query: Value, key: Value): Value {
  const products =
    batch === "pages"
      ? // [pages, kvHeads, rows, pageSize]
        g.op("MatMul", [query, g.op("Transpose", [key], { perm: [0, 1, 3, 2] })])
      : // [kvHeads, pageSize, rows, pages]
        fused(g, g.op("Transpose", [query], { perm: headsFirst }), key, 1);
  const perm = batch === "pages" ? [1, 2, 0, 3] : [0, 2, 1, 3];
  const rows = g.reshape(g.op("Transpose", [products], { perm }), 0, 0, -1);
  return g.op("Unsqueeze", [rows, g.integers(0)]);
}

/**
 * Weights times values, `[1, kvHeads, rows, size]`.
 *
 * @param weights `[1, kvHeads, rows, keys]`
 * @param value `[pages, kvHeads, pageSize, size]`
 */
export function poolSum(
  g: GraphBuilder,
  { batch, pageSize }: PoolSpec,
  weights: Value,
  value: Value,
): Value {
  const rows = g.op("Squeeze", [weights, g.integers(0)]);
  if (batch === "pages") {
    const pages = g.reshape(rows, 0, 0, -1, pageSize);
    const ofPages = g.op("Transpose", [pages], { perm: [2, 0, 1, 3] });
    return g.reduce("ReduceSum", g.op("MatMul", [ofPages, value]), 0);
  }
  const places = g.reshape(rows, 0, 0, pageSize, -1);
  const ofPlaces = g.op("Transpose", [places], { perm: [0, 2, 1, 3] });
  const sum = g.reduce("ReduceSum", fused(g, ofPlaces, value, 0), 1);
  return g.op("Transpose", [sum], { perm: headsFirst });
}

const headsFirst: readonly number[] = [1, 0, 2, 3];

/** A product with the matrices of one place of every page of a head, which are read where they lie. */
function fused(g: GraphBuilder, a: Value, pool: Value, transB: 0 | 1): Value {
  return g.op("FusedMatMul", [a, pool], { transBatchB: 1, transB }, "com.microsoft");
}
