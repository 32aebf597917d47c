import type { GraphBuilder, Value } from "../../model/builder.js";
import type { ModelDType } from "../../model/model.js";
import type { GraphKind } from "./choose.js";
import type { PositionValues } from "./positions.js";
import { isWrittenOut, type SoftmaxValues } from "./softmax.js";
import type { Arithmetic, GraphSpec } from "./spec.js";

/** The values, with nothing in them that a weight of 0 does not stop. */
export interface GuardedValues {
  readonly finite: Value;
  /** 1 where the value was NaN or +∞, NaN or −∞; null where the guard does not look. */
  readonly up: Value | null;
  readonly down: Value | null;
}

export function guardValues(
  g: GraphBuilder,
  spec: GraphSpec,
  value: Value,
  { reachable }: PositionValues,
  compute: ModelDType,
): GuardedValues {
  const zero = g.scalar(compute, 0);
  const one = g.scalar(compute, 1);
  if (spec.guard === "elements") {
    // x − x is 0 of finite numbers only; x < 0 and x > 0 are both false of NaN.
    const whole = g.op("Equal", [g.op("Sub", [value, value]), zero]);
    const bad = g.op("Where", [whole, zero, one]);
    const unless = (comparison: "Less" | "Greater"): Value =>
      g.op("Where", [g.op(comparison, [value, zero]), zero, bad]);
    return {
      finite: g.op("Where", [whole, value, zero]),
      up: unless("Less"),
      down: unless("Greater"),
    };
  }
  const finite = reachable ? g.op("Where", [reachable, value, zero]) : value;
  return { finite, up: null, down: null };
}

/**
 * Adds NaN and infinities to the rows that see them. They are added, not chosen, so that a row that is
 * NaN because of its logits stays NaN.
 */
export function restoreInfinities(
  g: GraphBuilder,
  { up, down }: GuardedValues,
  softmax: SoftmaxValues,
  output: Value,
  { sum, compute }: { sum: (weights: Value, of: Value) => Value; compute: ModelDType },
): Value {
  if (up === null || down === null) return output;
  const zero = g.scalar(compute, 0);
  const [plus, minus, nan] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN].map(
    (x) => g.scalar(compute, x),
  ) as [Value, Value, Value];
  const seen = softmax.seen();
  const any = (of: Value): Value => g.op("Greater", [sum(seen, of), zero]);
  const [rises, falls] = [any(up), any(down)];
  const unlessRising = g.op("Where", [falls, minus, zero]);
  const rising = g.op("Where", [falls, nan, plus]);
  return g.op("Add", [output, g.op("Where", [rises, rising, unlessRising])]);
}

/** How the outputs of a graph show that something hidden reached them; null if nothing can. */
export type LeakSign = "rows" | "sum" | null;

/**
 * How the outputs of a graph without a guard show that hidden data reached them, or that a sum overflowed. Hidden
 * keys and values that are NaN or ±∞ leave NaN in rows that they are hidden from (0 · NaN, ∞ − ∞), and so
 * does a row whose logits are all −∞, whose softmax is 0 / 0.
 *
 * - `"rows"`: the host looks at some elements of each row, see `mayHaveLeaked`.
 * - `"sum"`: the sum of all outputs is not finite. For graphs that divide sums of values by those of their weights
 *   after they are formed, so that any element may have overflowed; and for the operator that skips tiles outside of
 *   its window, where a leak reaches only the rows of the tiles beside it.
 * - null: the guard `"elements"` keeps everything out, or the arithmetic need not know NaN.
 *
 * Either costs less than looking at keys and values beforehand.
 */
export function leakSign(kind: GraphKind, spec: GraphSpec, arithmetic: Arithmetic): LeakSign {
  if (spec.guard === "elements" || !arithmetic.infinities) return null;
  if (kind === "group-query") return "sum";
  // Without outputs there is nothing to sum.
  const divides = kind === "plain" && spec.valueDim > 0 && isWrittenOut(spec, arithmetic);
  return divides ? "sum" : "rows";
}

/** The output `leakSum`, a scalar. */
export function returnLeakSum(g: GraphBuilder, output: Value, compute: ModelDType): void {
  g.output("leakSum", g.op("ReduceSum", [output], { keepdims: 0 }), compute, []);
}
