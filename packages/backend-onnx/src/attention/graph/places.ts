import type { GraphBuilder, Value } from "../../model/builder.js";
import { fused, headsFirst, type PoolSpec } from "./pool.js";
import { lowest } from "./softmax.js";
import type { GraphSpec } from "./spec.js";
import { asBias } from "./visibility.js";

/** Whether {@link placesAttention} computes a spec: nothing but lengths and positions hides keys, and nothing else is returned. */
export function isInPlaces(spec: GraphSpec): boolean {
  const { storage, mask, bias, programs, alibi, sinks, logSumExp, weights, scores, guard } = spec;
  if (storage?.pool?.batch !== "places" || guard !== "none") return false;
  return !(mask || bias || programs || alibi || sinks || logSumExp || weights || scores);
}

/** Operands of {@link placesAttention}. */
export interface PlacesInputs {
  /** `[1, kvHeads, rows, headDim]`, scaled. */
  readonly query: Value;
  /** `[pages, kvHeads, pageSize, size]`. */
  readonly key: Value;
  readonly value: Value;
  /** bool, `[1, 1, 1, keys]`, by places; null if all are visible. */
  readonly visible: Value | null;
  /** Caps dot products. */
  readonly capped: (products: Value) => Value;
}

/**
 * Attention over a pool whose logits stay in the order of the products, `[kvHeads, places, rows, pages]`: maxima and sums are
 * those of places first, and no logits or weights are moved.
 *
 * @returns `[1, kvHeads, rows, valueDim]`
 */
export function placesAttention(
  g: GraphBuilder,
  { pageSize }: PoolSpec,
  emptyRows: boolean,
  { query, key, value, visible, capped }: PlacesInputs,
): Value {
  const compute = "float32";
  const logits = capped(fused(g, g.op("Transpose", [query], { perm: headsFirst }), key, 1));
  const hidden = visible && g.reshape(asBias(g, visible, compute), 1, pageSize, 1, -1);
  const masked = hidden ? g.op("Add", [logits, hidden]) : logits;
  const ofRows = (operator: "ReduceMax" | "ReduceSum", of: Value): Value =>
    g.reduce(operator, g.reduce(operator, of, 3), 1);
  // −∞ − −∞ is NaN: an empty row subtracts a finite number instead.
  const offset = g.op("Max", [ofRows("ReduceMax", masked), g.scalar(compute, lowest[compute])]);
  const exponentials = g.op("Exp", [g.op("Sub", [masked, offset])]);
  const sum = ofRows("ReduceSum", exponentials);
  const values = g.reduce("ReduceSum", fused(g, exponentials, value, 0), 1);
  const zero = g.scalar(compute, 0);
  const empty = g.op("Equal", [sum, zero]);
  const divided = g.op("Div", [values, g.op("Where", [empty, g.scalar(compute, 1), sum])]);
  // Weights of 0 leave −0 of negative values.
  const output = emptyRows ? g.op("Where", [empty, zero, divided]) : divided;
  return g.op("Transpose", [output], { perm: headsFirst });
}
