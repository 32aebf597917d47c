import type { GraphBuilder, Value } from "../model/builder.js";
import type { ModelDType } from "../model/model.js";
import type { GraphKind } from "./choose.js";
import type { PositionValues } from "./positions.js";
import type { SoftmaxValues } from "./softmax.js";
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

/** Rows that do see an infinite value, or NaN, say so. */
export function restoreInfinities(
  g: GraphBuilder,
  { up, down }: GuardedValues,
  softmax: SoftmaxValues,
  output: Value,
  { sum, compute }: { sum: (weights: Value, of: Value) => Value; compute: ModelDType },
): Value {
  if (up === null || down === null) return output;
  const [zero, one] = [g.scalar(compute, 0), g.scalar(compute, 1)];
  const [plus, minus, nan] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN].map(
    (x) => g.scalar(compute, x),
  ) as [Value, Value, Value];
  const seen = g.op("Where", [g.op("Greater", [softmax.exactWeights(), zero]), one, zero]);
  const any = (of: Value): Value => g.op("Greater", [sum(seen, of), zero]);
  const [rises, falls] = [any(up), any(down)];
  const infinite = g.op("Where", [falls, minus, output]);
  return g.op("Where", [rises, g.op("Where", [falls, nan, plus]), infinite]);
}

/** How a graph tells that something hidden leaked; null where nothing is to be told. */
export type LeakSign = "rows" | "sum" | null;

/**
 * How a graph that runs unguarded tells that something hidden leaked: data that is NaN or ±∞, or whose
 * product overflows, leaves NaN in any row that it is hidden from (0 · NaN, ∞ − ∞). `"rows"`: in the
 * first and the last row that see any key, since from one of these two everything is hidden that is from
 * any; the host looks at them. `"sum"`: in the sum of all outputs, where a mask or a bias may have
 * emptied those rows, empty rows are not flagged, or an operator may leave out tiles that its window hides,
 * so that something leaks into rows between those two only. Either costs less than looking at keys and values
 * beforehand. Null: nothing is to be told, as nothing is hidden, or a guard hides it, or arithmetic need
 * not know of NaN.
 */
export function leakSign(
  kind: GraphKind,
  { band, guard, mask, bias, logSumExp, sinks }: GraphSpec,
  { infinities }: Arithmetic,
): LeakSign {
  if (band === null || guard !== "none" || !infinities) return null;
  // A softmax by hand flags no empty rows: what is hidden from one shows in it, and maybe nowhere else.
  const unflagged = band.emptyRows && (logSumExp || sinks);
  const tiled = kind === "group-query" && band.diagonal?.keys != null;
  return mask || bias || unflagged || tiled ? "sum" : "rows";
}

/** The output `leakSum`, a scalar. */
export function returnLeakSum(g: GraphBuilder, output: Value, compute: ModelDType): void {
  g.output("leakSum", g.op("ReduceSum", [output], { keepdims: 0 }), compute, []);
}
