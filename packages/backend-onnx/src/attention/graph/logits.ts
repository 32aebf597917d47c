import type { AttentionProblem } from "@heed/core";
import type { GraphBuilder, Value } from "../../model/builder.js";
import type { ModelDType } from "../../model/model.js";

/** The steps of a problem that turn dot products into logits, before anything is added to them. */
export interface LogitSpec {
  readonly scale: number;
  readonly softcap: number | null;
}

export function logitSpec({ scale, softcap }: AttentionProblem): LogitSpec {
  return { scale, softcap };
}

/** Whether the logits are the dot products times the scale. */
export function areScaledOnly({ softcap }: LogitSpec): boolean {
  return softcap === null;
}

/** Logits, from a query that is scaled first. */
export interface LogitValues {
  /** The scaled query. */
  readonly query: Value;
  /** Dot products of the scaled query and keys, capped. */
  capped(product: Value): Value;
}

/**
 * The query times the scale. With a softcap the scale is divided by it, which saves a pass over the logits.
 *
 * @param wantsRaw whether the products are an output: with the scale, before the softcap
 */
export function scaledLogits(
  g: GraphBuilder,
  { scale: given, softcap }: LogitSpec,
  query: Value,
  wantsRaw: boolean,
  compute: "float64" | "float32",
): LogitValues {
  const divided = softcap !== null && softcap < hugeSoftcap && !wantsRaw;
  const scale = finite(compute, divided ? given / softcap : given);
  return {
    query: scale === 1 ? query : scaledBy(g, query, scale, 2, compute),
    capped: (product) =>
      softcap === null ? product : capped(g, product, softcap, divided, compute),
  };
}

/**
 * `softcap · tanh(x / softcap)`.
 *
 * @param divided whether the products have been divided by the softcap
 */
function capped(
  g: GraphBuilder,
  product: Value,
  softcap: number,
  divided: boolean,
  compute: "float64" | "float32",
): Value {
  const cap = finite(compute, softcap);
  const factor = finite(compute, 1 / softcap);
  const quotient = divided ? product : scaledBy(g, product, factor, 3, compute);
  const result = g.op("Mul", [g.op("Tanh", [quotient]), g.scalar(compute, cap)]);
  if (cap < hugeSoftcap) return result;
  const small = g.scalar(compute, cap * identityBelow[compute]);
  return g.op("Where", [g.op("Less", [g.op("Abs", [product]), small]), product, result]);
}

/**
 * A value times a number.
 *
 * onnxruntime 1.30 fuses a product with a constant of one element into FusedMatMul, whose alpha is a
 * float32 also for float64 operands, which leaves 1/√59 with 24 bits. For float64 the constant is therefore
 * repeated along an axis whose size is known at each run only. To be removed when MatmulScaleFusion respects
 * the type: test/runtime-defects.node.test.ts.
 *
 * @param axis of four: one whose size is symbolic
 */
function scaledBy(
  g: GraphBuilder,
  value: Value,
  by: number,
  axis: 2 | 3,
  compute: ModelDType,
): Value {
  const constant = g.scalar(compute, by);
  if (compute !== "float64") return g.op("Mul", [value, constant]);
  const size = g.op("Shape", [value], { start: axis, end: axis + 1 });
  const shape = axis === 3 ? size : g.op("Concat", [size, g.integers(1)], { axis: 0 });
  return g.op("Mul", [value, g.op("Expand", [constant, shape])]);
}

/** The nearest finite number of a dtype: quotients of finite parameters may leave float32's range. */
function finite(compute: ModelDType, x: number): number {
  const largest = compute === "float64" ? Number.MAX_VALUE : 3.4028234663852886e38;
  return Math.max(-largest, Math.min(largest, x));
}

/**
 * Softcaps from which on a logit divided by them may be too small to be a normal number. Logits far below
 * such a softcap are left as they are: softcap · tanh(s / softcap) is s then, as tanh x = x − x³/3 + ….
 */
const hugeSoftcap = 2 ** 60;

/** The largest x for which tanh x is x, after rounding. */
const identityBelow = { float64: 2 ** -28, float32: 2 ** -14 } as const;
