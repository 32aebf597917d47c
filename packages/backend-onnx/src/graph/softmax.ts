import type { GraphBuilder, Value } from "../model/builder.js";
import type { ModelDType } from "../model/model.js";
import type { Arithmetic, GraphSpec } from "./spec.js";
import { and, asBias, type VisibilityInputs, visibility } from "./visibility.js";

/** The lowest finite value. */
const lowest: Readonly<Record<"float64" | "float32", number>> = {
  float64: -Number.MAX_VALUE,
  float32: -3.4028234663852886e38,
};

/** What a softmax leaves to be done, and what it can say. */
export interface SoftmaxValues {
  /** What the values are multiplied with: weights, or exponentials yet to be divided. */
  readonly weights: Value;
  /** Divides by the denominator, and makes empty rows 0. */
  finish(summed: Value): Value;
  /** 0 where a key is hidden. */
  exactWeights(): Value;
  logSumExp(): Value;
}

export interface SoftmaxContext extends VisibilityInputs {
  readonly compute: "float64" | "float32";
}

/** Hides what is not visible, and makes weights of the logits. */
export function softmaxOver(
  g: GraphBuilder,
  spec: GraphSpec,
  arithmetic: Arithmetic,
  logits: Value,
  context: SoftmaxContext,
): SoftmaxValues {
  const ruled = visibility(g, arithmetic, context);
  // A bias of −∞ hides too. Where infinities are to be relied on it needs no predicate.
  const low = g.scalar(context.compute, lowest[context.compute]);
  const finite = spec.bias && !arithmetic.infinities ? g.op("GreaterOrEqual", [logits, low]) : null;
  const visible = and(g, arithmetic, ruled, finite);
  const masked = visible ? hide(g, spec, arithmetic, logits, visible, context.compute) : logits;
  const own = spec.logSumExp || spec.sinks || finite !== null;
  return own
    ? ownSoftmax(g, spec, arithmetic, masked, visible, context)
    : operatorSoftmax(g, spec, arithmetic, masked, visible, context);
}

function hide(
  g: GraphBuilder,
  spec: GraphSpec,
  { infinities }: Arithmetic,
  logits: Value,
  visible: Value,
  compute: "float64" | "float32",
): Value {
  if (!infinities) return g.op("Where", [visible, logits, g.scalar(compute, lowest[compute])]);
  // Adding −∞ hides ordinary numbers, and a sum is a faster pass than a choice. What is added is
  // small unless the mask is one a head.
  if (spec.guard === "none" && !spec.mask?.[1]) {
    return g.op("Add", [logits, asBias(g, visible, compute)]);
  }
  return g.op("Where", [visible, logits, g.scalar(compute, Number.NEGATIVE_INFINITY)]);
}

/** The operator Softmax: fused, so faster than its parts. */
function operatorSoftmax(
  g: GraphBuilder,
  spec: GraphSpec,
  arithmetic: Arithmetic,
  masked: Value,
  visible: Value | null,
  { positions, compute }: SoftmaxContext,
): SoftmaxValues {
  const weights = g.op("Softmax", [masked], { axis: -1 });
  const zero = g.scalar(compute, 0);
  // An empty row is 0/0, or with finite sentinels an even spread over keys that it does not see.
  let any: Value | null = null;
  if (spec.bias !== null || spec.mask !== null) {
    any = anyVisible(g, arithmetic, masked, visible, compute);
  } else if (spec.band?.emptyRows) {
    any = positions.anyInBand;
  }
  return {
    weights,
    finish: (summed) => (any ? g.op("Where", [any, summed, zero]) : summed),
    exactWeights: () => {
      const shown = and(g, arithmetic, visible, any);
      return shown ? g.op("Where", [shown, weights, zero]) : weights;
    },
    logSumExp: () => {
      throw new Error("the operator Softmax does not give its denominator");
    },
  };
}

/** bool, `[…, rows, 1]`: whether a row sees any key. */
function anyVisible(
  g: GraphBuilder,
  { infinities }: Arithmetic,
  masked: Value,
  visible: Value | null,
  compute: ModelDType,
): Value {
  const minusInfinity = g.scalar(compute, Number.NEGATIVE_INFINITY);
  if (infinities) {
    // Not "greater", which is false of NaN: a row that something leaked into has to show it.
    return g.op("Not", [g.op("Equal", [g.reduce("ReduceMax", masked), minusInfinity])]);
  }
  if (visible === null) return g.op("Greater", [g.reduce("ReduceMax", masked), minusInfinity]);
  const counted = g.reduce("ReduceMax", g.cast(visible, "bool", "float32"));
  return g.op("Greater", [counted, g.scalar("float32", 0)]);
}

/**
 * Softmax by hand: maximum, exponentials, sum. Its parts give the log-sum-exp and take a sink. An empty
 * row's exponentials are all 0, and so is their sum.
 */
function ownSoftmax(
  g: GraphBuilder,
  spec: GraphSpec,
  { infinities }: Arithmetic,
  masked: Value,
  visible: Value | null,
  { compute }: SoftmaxContext,
): SoftmaxValues {
  const zero = g.scalar(compute, 0);
  const low = g.scalar(compute, lowest[compute]);
  const minusInfinity = g.scalar(compute, Number.NEGATIVE_INFINITY);
  const sink = spec.sinks ? g.input("sinks", compute, [1, spec.queryHeads, 1, 1]) : null;

  const ofKeys = g.reduce("ReduceMax", masked);
  const largest = sink ? g.op("Max", [ofKeys, sink]) : ofKeys;
  // −∞ − −∞ is NaN: an empty row, or one without a sink, subtracts a finite number instead.
  const offset = g.op("Max", [largest, low]);
  let exponentials = g.op("Exp", [g.op("Sub", [masked, offset])]);
  if (!infinities && visible) exponentials = g.op("Where", [visible, exponentials, zero]);
  const ofVisible = g.reduce("ReduceSum", exponentials);
  let sum = ofVisible;
  if (sink) {
    const own = g.op("Exp", [g.op("Sub", [sink, offset])]);
    const given = infinities ? own : g.op("Where", [g.op("Greater", [sink, low]), own, zero]);
    sum = g.op("Add", [sum, given]);
  }
  const positive = g.op("Greater", [sum, zero]);
  const divisor = g.op("Where", [positive, sum, g.scalar(compute, 1)]);
  return {
    weights: exponentials,
    finish: (summed) => {
      const divided = g.op("Div", [summed, divisor]);
      if (!spec.band?.emptyRows && !spec.mask && !spec.bias) return divided;
      // Weights of 0 leave −0 of negative values. Not "greater": what leaked into a row has to show.
      return g.op("Where", [g.op("Equal", [ofVisible, zero]), zero, divided]);
    },
    exactWeights: () => g.op("Div", [exponentials, divisor]),
    logSumExp: () => {
      const total = g.op("Add", [offset, g.op("Log", [divisor])]);
      return g.op("Where", [positive, total, minusInfinity]);
    },
  };
}
