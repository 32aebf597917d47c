import type { GraphBuilder, Value } from "../../model/builder.js";
import type { ModelDType } from "../../model/model.js";
import type { PositionValues } from "./positions.js";
import type { Arithmetic } from "./spec.js";

export interface VisibilityInputs {
  readonly mask: Value | null;
  readonly positions: PositionValues;
}

/** bool, broadcasting to the logits: what mask and positions leave; null where that is everything. */
export function visibility(
  g: GraphBuilder,
  arithmetic: Arithmetic,
  { mask, positions }: VisibilityInputs,
): Value | null {
  const inBand = and(g, arithmetic, positions.notBefore, positions.notAfter);
  return and(g, arithmetic, inBand, mask);
}

export function and(
  g: GraphBuilder,
  arithmetic: Arithmetic,
  a: Value | null,
  b: Value | null,
): Value | null {
  if (a === null || b === null) return a ?? b;
  if (arithmetic.and) return g.op("And", [a, b]);
  const both = g.op("Mul", [g.cast(a, "bool", "float32"), g.cast(b, "bool", "float32")]);
  return g.op("Greater", [both, g.scalar("float32", 0)]);
}

/** 0 where a key is visible, −∞ where it is not. */
export function asBias(g: GraphBuilder, visible: Value, compute: ModelDType): Value {
  const [zero, hidden] = [g.scalar(compute, 0), g.scalar(compute, Number.NEGATIVE_INFINITY)];
  return g.op("Where", [visible, zero, hidden]);
}
