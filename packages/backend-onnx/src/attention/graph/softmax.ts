import type { GraphBuilder, Value } from "../../model/builder.js";
import type { ModelDType } from "../../model/model.js";
import { chunkedSum } from "./chunks.js";
import { hidesFreely, maskAxes } from "./programs.js";
import { type Arithmetic, type GraphSpec, headDims } from "./spec.js";
import { and, asBias, type VisibilityInputs, visibility } from "./visibility.js";

/** The lowest finite value. */
const lowest: Readonly<Record<"float64" | "float32", number>> = {
  float64: -Number.MAX_VALUE,
  float32: -3.4028234663852886e38,
};

/** Results of a softmax, and the steps that remain after the sum of values. */
export interface SoftmaxValues {
  /** Factors of the values: weights, or exponentials that `finish` divides by the denominator. */
  readonly weights: Value;
  /**
   * Weights that add up to 1, for rows whose sums over exponentials overflow where the average of the values does
   * not; null where `weights` are such weights, or where the call runs again with a guard if a sum overflows.
   */
  readonly divided: Value | null;
  /** Divides by the denominator, and makes empty rows 0. */
  finish(summed: Value): Value;
  /** 0 where a key is hidden. */
  exactWeights(): Value;
  /**
   * `[batch, queryHeads, rows, keys]` of the dtype `compute`: 1 for a key that a row sees, also if its
   * weight is 0 after rounding, else 0.
   */
  seen(): Value;
  logSumExp(): Value;
}

export interface SoftmaxContext extends VisibilityInputs {
  /** The bias that was added to the logits, of the dtype `compute`; null if none was. */
  readonly bias: Value | null;
  readonly compute: "float64" | "float32";
}

/** Hides keys, and turns logits into weights. */
export function softmaxOver(
  g: GraphBuilder,
  spec: GraphSpec,
  arithmetic: Arithmetic,
  logits: Value,
  context: SoftmaxContext,
): SoftmaxValues {
  const ruled = visibility(g, arithmetic, context);
  const finite = notExcluded(g, spec, arithmetic, logits, context);
  const visible = and(g, arithmetic, ruled, finite);
  const masked = visible ? hide(g, spec, arithmetic, logits, visible, context.compute) : logits;
  return isWrittenOut(spec, arithmetic)
    ? ownSoftmax(g, spec, arithmetic, masked, visible, context)
    : operatorSoftmax(g, spec, arithmetic, masked, visible, context);
}

/** Whether the softmax is written out as maximum, exponentials and sum, and not one operator. */
export function isWrittenOut(spec: GraphSpec, { infinities }: Arithmetic): boolean {
  const { logSumExp, sinks, guard, chunks, bias, programs } = spec;
  const scored = Boolean(programs?.score);
  const excludes = infinities ? scored && bias !== null : scored || bias !== null;
  return logSumExp || sinks || guard === "elements" || chunks !== null || excludes;
}

/**
 * The keys that no bias of −∞ hides, and no score of −∞; null if the logits say it, since −∞ plus any number is
 * −∞. Infinities must be reliable for that, and the number no NaN or +∞; and a score program may make any
 * number of −∞.
 */
function notExcluded(
  g: GraphBuilder,
  spec: GraphSpec,
  arithmetic: Arithmetic,
  logits: Value,
  { bias, compute }: SoftmaxContext,
): Value | null {
  const { infinities } = arithmetic;
  const scored = Boolean(spec.programs?.score);
  if (!infinities) {
    const numbers = (of: Value): Value =>
      g.op("GreaterOrEqual", [of, g.scalar(compute, lowest[compute])]);
    const biased = scored && bias ? numbers(bias) : null;
    return and(g, arithmetic, biased, scored || bias ? numbers(logits) : null);
  }
  if (bias === null || !(scored || spec.guard === "elements")) return null;
  return g.op("Not", [g.op("Equal", [bias, g.scalar(compute, Number.NEGATIVE_INFINITY)])]);
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
  // small unless the mask is one a head. A program may give NaN or +∞ where a rule hides it.
  if (spec.guard === "none" && !maskAxes(spec)[1] && !spec.programs?.score) {
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
  if (hidesFreely(spec)) {
    any = anyVisible(g, spec, arithmetic, masked, visible, compute);
  } else if (spec.band?.emptyRows) {
    any = positions.anyInBand;
  }
  return {
    weights,
    divided: null,
    finish: (summed) => (any ? g.op("Where", [any, summed, zero]) : summed),
    exactWeights: () => {
      const shown = and(g, arithmetic, visible, any);
      return shown ? g.op("Where", [shown, weights, zero]) : weights;
    },
    seen: () => {
      throw new Error("guarded values are summed by the softmax that is written out");
    },
    logSumExp: () => {
      throw new Error("the operator Softmax does not give its denominator");
    },
  };
}

/** bool, `[…, rows, 1]`: whether a row sees any key. */
function anyVisible(
  g: GraphBuilder,
  spec: GraphSpec,
  { infinities }: Arithmetic,
  masked: Value,
  visible: Value | null,
  compute: ModelDType,
): Value {
  if (infinities && (spec.bias || spec.programs?.score)) return notAllHidden(g, masked, compute);
  if (visible === null) {
    const minusInfinity = g.scalar(compute, Number.NEGATIVE_INFINITY);
    return g.op("Greater", [g.reduce("ReduceMax", masked), minusInfinity]);
  }
  // The rules alone say it, and their shape is often smaller than that of the logits.
  const counted = g.reduce("ReduceMax", g.cast(visible, "bool", "float32"));
  return g.op("Greater", [counted, g.scalar("float32", 0)]);
}

/**
 * bool, `[…, rows, 1]`: whether a row of logits, or of what is added to them, holds anything but −∞. The
 * maximum alone does not tell, since onnxruntime's may leave NaN out; the sum is NaN then.
 */
export function notAllHidden(g: GraphBuilder, logits: Value, compute: ModelDType): Value {
  const minusInfinity = g.scalar(compute, Number.NEGATIVE_INFINITY);
  const largest = g.op("Equal", [g.reduce("ReduceMax", logits), minusInfinity]);
  const sum = g.op("Equal", [g.reduce("ReduceSum", logits), minusInfinity]);
  return g.op("Not", [g.op("And", [largest, sum])]);
}

/**
 * Softmax by hand: maximum, exponentials, sum. Its parts give the log-sum-exp and take a sink. An empty
 * row's exponentials are all 0, and so is their sum.
 */
function ownSoftmax(
  g: GraphBuilder,
  spec: GraphSpec,
  { infinities, looksAgain = false }: Arithmetic,
  masked: Value,
  visible: Value | null,
  { compute }: SoftmaxContext,
): SoftmaxValues {
  const zero = g.scalar(compute, 0);
  const low = g.scalar(compute, lowest[compute]);
  const minusInfinity = g.scalar(compute, Number.NEGATIVE_INFINITY);
  const sink = spec.sinks ? g.input("sinks", compute, headDims(spec)) : null;

  const ofKeys = g.reduce("ReduceMax", masked);
  const largest = sink ? g.op("Max", [ofKeys, sink]) : ofKeys;
  // −∞ − −∞ is NaN: an empty row, or one without a sink, subtracts a finite number instead.
  const offset = g.op("Max", [largest, low]);
  let exponentials = g.op("Exp", [g.op("Sub", [masked, offset])]);
  if (!infinities && visible) exponentials = g.op("Where", [visible, exponentials, zero]);
  const ofVisible = spec.chunks
    ? chunkedSum(g, spec.chunks.sums, exponentials)
    : g.reduce("ReduceSum", exponentials);
  let sum = ofVisible;
  if (sink) {
    const own = g.op("Exp", [g.op("Sub", [sink, offset])]);
    const given = infinities ? own : g.op("Where", [g.op("Greater", [sink, low]), own, zero]);
    sum = g.op("Add", [sum, given]);
  }
  // Not "greater than 0", which is false of NaN: a row whose logits hold NaN or +∞ is NaN throughout.
  const empty = g.op("Equal", [sum, zero]);
  const one = g.scalar(compute, 1);
  // Rules have the shape of what they depend on; logits have that of all rows of all heads.
  const rules = infinities ? null : visible;
  const isSeen = (): Value => rules ?? g.op("Not", [g.op("Equal", [masked, minusInfinity])]);
  const divisor = g.op("Where", [empty, one, sum]);
  // Dividing sums of values is the shorter pass.
  const weights = (): Value => g.op("Div", [exponentials, divisor]);
  return {
    weights: looksAgain ? exponentials : weights(),
    divided: looksAgain && spec.guard === "elements" ? weights() : null,
    finish: (summed) => {
      const divided = looksAgain ? g.op("Div", [summed, divisor]) : summed;
      if (!spec.band?.emptyRows && !hidesFreely(spec)) return divided;
      // Weights of 0 leave −0 of negative values.
      return g.op("Where", [g.op("Equal", [ofVisible, zero]), zero, divided]);
    },
    exactWeights: () => {
      const exact = weights();
      // A row that is NaN has weights of NaN for the keys that it sees.
      return spec.guard === "elements" ? g.op("Where", [isSeen(), exact, zero]) : exact;
    },
    seen: () => {
      const ones = g.op("Where", [isSeen(), one, zero]);
      return rules ? g.op("Expand", [ones, g.op("Shape", [masked])]) : ones;
    },
    logSumExp: () => {
      const total = g.op("Add", [offset, g.op("Log", [divisor])]);
      return g.op("Where", [empty, minusInfinity, total]);
    },
  };
}
