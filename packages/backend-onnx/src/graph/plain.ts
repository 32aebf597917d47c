import { type FloatDType, statisticsDType } from "@heed/core";
import type { Dimension, ModelDType, ModelGraph } from "../model/model.js";
import { GraphBuilder, type Value } from "./builder.js";
import type { PositionValues } from "./positions.js";
import type { Arithmetic, AxisOrder, BroadcastAxes, GraphSpec } from "./spec.js";

/** Every operator used has had its meaning since then, and every provider knows it. */
const opset = 18;

/** The lowest finite value. */
const lowest: Readonly<Record<"float64" | "float32", number>> = {
  float64: -Number.MAX_VALUE,
  float32: -3.4028234663852886e38,
};

/** Where the positions of a graph come from: its inputs, or nodes that compute them. */
export type PositionSource = (
  g: GraphBuilder,
  spec: GraphSpec,
  compute: FloatDType,
) => PositionValues;

/**
 * Attention from plain operators: MatMul, Softmax, MatMul, with whatever a problem needs between
 * them. Inputs are named as the call's own; the statistics are float32, or float64 for float64.
 *
 * Grouped query heads are stacked along the rows, `[B, Hkv, G·Lq, D]`, so that keys and values are
 * neither repeated nor broadcast; row-major, that is `[B, Hq, Lq, …]` under another shape.
 */
export function plainGraph(
  spec: GraphSpec,
  arithmetic: Arithmetic,
  positionSource: PositionSource,
): ModelGraph {
  const g = new GraphBuilder(opset);
  const compute = statisticsDType(spec.dtype);
  const inputs = mainInputs(g, spec, compute);
  const positions = positionSource(g, spec, compute);
  const mask = spec.mask && g.input("mask", "bool", broadcastDims(spec.mask, spec.queryHeads));

  const values = guardValues(g, spec, inputs.value, positions, compute);
  const { query, factor } = scaledQuery(g, spec, inputs.query, compute);
  const product = g.op("MatMul", [query, g.op("Transpose", [inputs.key], { perm: [0, 1, 3, 2] })]);
  const perHead = needsRows(spec);
  const raw = perHead ? unstack(g, spec, product) : product;
  const capped = softcap(g, spec, raw, factor, compute);
  const biased = addBiases(g, spec, capped, positions, compute);
  returnScores(g, spec, { raw, capped, biased }, positions, compute);

  const softmax = softmaxOver(g, spec, arithmetic, biased, { mask, positions, compute });
  const stacked = (rows: Value): Value =>
    perHead && spec.kvHeads !== spec.queryHeads ? g.reshape(rows, 0, spec.kvHeads, -1, 0) : rows;
  const sum = (weights: Value, of: Value): Value =>
    unstack(g, spec, g.op("MatMul", [stacked(weights), of]));
  const finite = softmax.finish(sum(softmax.weights, values.finite));
  const output = restoreInfinities(g, values, softmax, finite, { sum, compute });
  const rows = ["batch", spec.queryHeads, "queryLength"];
  g.output("output", g.cast(output, compute, spec.dtype), spec.dtype, [...rows, spec.valueDim]);
  if (spec.weights) {
    const weights = g.cast(softmax.exactWeights(), compute, spec.dtype);
    g.output("weights", weights, spec.dtype, [...rows, "keyLength"]);
  }
  if (spec.logSumExp) g.output("logSumExp", softmax.logSumExp(), compute, [...rows, 1]);
  return g.build();
}

interface MainValues {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
}

function mainInputs(g: GraphBuilder, spec: GraphSpec, compute: ModelDType): MainValues {
  const { queryHeads, kvHeads, headDim, valueDim, dtype, order } = spec;
  const input = (name: "query" | "key" | "value", dims: readonly Dimension[]): Value => {
    const stored = g.input(name, dtype, storedDims(dims, order[name]));
    const canonical = canonicalAxes(g, stored, order[name]);
    return g.cast(canonical, dtype, compute);
  };
  return {
    query: input("query", ["batch", queryHeads, "queryLength", headDim]),
    key: input("key", ["batch", kvHeads, "keyLength", headDim]),
    value: input("value", ["batch", kvHeads, "keyLength", valueDim]),
  };
}

/** Sizes in the order in which axes lie in memory. */
export function storedDims<T>(dims: readonly T[], order: AxisOrder): T[] {
  return order.map((axis) => dims[axis] as T);
}

function canonicalAxes(g: GraphBuilder, stored: Value, order: AxisOrder): Value {
  if (order.every((axis, i) => axis === i)) return stored;
  return g.op("Transpose", [stored], { perm: [0, 1, 2, 3].map((axis) => order.indexOf(axis)) });
}

function broadcastDims([b, h, i, j]: BroadcastAxes, heads: number): Dimension[] {
  return [b ? "batch" : 1, h ? heads : 1, i ? "queryLength" : 1, j ? "keyLength" : 1];
}

/** The values, with nothing in them that a weight of 0 does not stop. */
interface GuardedValues {
  readonly finite: Value;
  /** 1 where the value was NaN or +∞, NaN or −∞; null where the guard does not look. */
  readonly up: Value | null;
  readonly down: Value | null;
}

function guardValues(
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
    const unless = (comparison: "Less" | "Greater"): Value =>
      g.op("Where", [g.op("Or", [whole, g.op(comparison, [value, zero])]), zero, one]);
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
function restoreInfinities(
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

/**
 * The query times the scale, stacked. With a softcap the scale is divided by it, which saves a pass
 * over the logits, unless the raw scores are wanted.
 *
 * @returns also what the product is yet to be multiplied with before tanh
 */
function scaledQuery(
  g: GraphBuilder,
  spec: GraphSpec,
  query: Value,
  compute: ModelDType,
): { query: Value; factor: number | null } {
  const early = spec.softcap !== null && spec.scores !== "raw";
  const scale = early ? spec.scale / (spec.softcap as number) : spec.scale;
  // onnxruntime 1.30 fuses a product with a scalar into FusedMatMul, whose alpha is a float32, also
  // for float64 operands, which leaves 1/√59 with 24 bits. It does not fuse one with a vector. Until
  // MatmulScaleFusion minds the type: test/runtime-defects.node.test.ts.
  const constant =
    compute === "float64" ? g.repeated(compute, scale, spec.headDim) : g.scalar(compute, scale);
  const scaled = scale === 1 ? query : g.op("Mul", [query, constant]);
  const stacked =
    spec.kvHeads === spec.queryHeads
      ? scaled
      : g.reshape(scaled, 0, spec.kvHeads, -1, spec.headDim);
  const factor = spec.softcap === null || early ? null : 1 / spec.softcap;
  return { query: stacked, factor };
}

/** Whether anything between the products tells a group's heads apart. */
function needsRows({ mask, bias, band, alibi, sinks, ...returns }: GraphSpec): boolean {
  const { logSumExp, weights, scores } = returns;
  return Boolean(mask || bias || band || alibi || sinks || logSumExp || weights || scores);
}

/** `[B, Hkv, G·Lq, X]` as `[B, Hq, Lq, X]`. */
function unstack(g: GraphBuilder, spec: GraphSpec, rows: Value): Value {
  return spec.kvHeads === spec.queryHeads ? rows : g.reshape(rows, 0, spec.queryHeads, -1, 0);
}

function softcap(
  g: GraphBuilder,
  spec: GraphSpec,
  raw: Value,
  factor: number | null,
  compute: ModelDType,
): Value {
  if (spec.softcap === null) return raw;
  const divided = factor === null ? raw : g.op("Mul", [raw, g.scalar(compute, factor)]);
  return g.op("Mul", [g.op("Tanh", [divided]), g.scalar(compute, spec.softcap)]);
}

function addBiases(
  g: GraphBuilder,
  spec: GraphSpec,
  capped: Value,
  { query: queryPositions, key: keyPositions }: PositionValues,
  compute: ModelDType,
): Value {
  let logits = capped;
  if (spec.bias) {
    const { dtype, axes } = spec.bias;
    const bias = g.input("bias", dtype, broadcastDims(axes, spec.queryHeads));
    logits = g.op("Add", [logits, g.cast(bias, dtype, compute)]);
  }
  if (spec.alibi && queryPositions !== null && keyPositions !== null) {
    const slopes = g.input("alibiSlopes", compute, [1, spec.queryHeads, 1, 1]);
    const distance = g.op("Abs", [g.op("Sub", [queryPositions, keyPositions])]);
    logits = g.op("Sub", [logits, g.op("Mul", [slopes, distance])]);
  }
  return logits;
}

function returnScores(
  g: GraphBuilder,
  spec: GraphSpec,
  scores: Readonly<Record<"raw" | "capped" | "biased", Value>>,
  { exists }: PositionValues,
  compute: ModelDType,
): void {
  if (spec.scores === null) return;
  const wanted = scores[spec.scores];
  const zeroed = exists ? g.op("Where", [exists, wanted, g.scalar(compute, 0)]) : wanted;
  const dims = ["batch", spec.queryHeads, "queryLength", "keyLength"];
  g.output("scores", g.cast(zeroed, compute, spec.dtype), spec.dtype, dims);
}

/** What a softmax leaves to be done, and what it can say. */
interface SoftmaxValues {
  /** What the values are multiplied with: weights, or exponentials yet to be divided. */
  readonly weights: Value;
  /** Divides by the denominator, and makes empty rows 0. */
  finish(summed: Value): Value;
  /** 0 where a key is hidden. */
  exactWeights(): Value;
  logSumExp(): Value;
}

interface SoftmaxContext {
  readonly mask: Value | null;
  readonly positions: PositionValues;
  readonly compute: "float64" | "float32";
}

function softmaxOver(
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
  const hidden = arithmetic.infinities ? g.scalar(context.compute, Number.NEGATIVE_INFINITY) : low;
  const masked = visible ? g.op("Where", [visible, logits, hidden]) : logits;
  const own = spec.logSumExp || spec.sinks || finite !== null;
  return own
    ? ownSoftmax(g, spec, arithmetic, masked, visible, context)
    : operatorSoftmax(g, spec, arithmetic, masked, visible, context);
}

/** bool, broadcasting to the logits: what mask and positions leave; null where that is everything. */
function visibility(
  g: GraphBuilder,
  arithmetic: Arithmetic,
  { mask, positions }: SoftmaxContext,
): Value | null {
  const inBand = and(g, arithmetic, positions.notBefore, positions.notAfter);
  return and(g, arithmetic, inBand, mask);
}

function and(
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
  if (infinities || visible === null) {
    const largest = g.reduce("ReduceMax", masked);
    return g.op("Greater", [largest, g.scalar(compute, Number.NEGATIVE_INFINITY)]);
  }
  const counted = g.reduce("ReduceMax", g.cast(visible, "bool", "float32"));
  return g.op("Greater", [counted, g.scalar("float32", 0)]);
}

/**
 * Softmax by hand: maximum, exponentials, sum. Its parts give the log-sum-exp and take a sink, and an
 * empty row needs no flag: its exponentials are all 0, and so is their sum.
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
  let sum = g.reduce("ReduceSum", exponentials);
  if (sink) {
    const own = g.op("Exp", [g.op("Sub", [sink, offset])]);
    const given = infinities ? own : g.op("Where", [g.op("Greater", [sink, low]), own, zero]);
    sum = g.op("Add", [sum, given]);
  }
  const positive = g.op("Greater", [sum, zero]);
  const divisor = g.op("Where", [positive, sum, g.scalar(compute, 1)]);
  return {
    weights: exponentials,
    finish: (summed) => g.op("Div", [summed, divisor]),
    exactWeights: () => g.op("Div", [exponentials, divisor]),
    logSumExp: () => {
      const total = g.op("Add", [offset, g.op("Log", [divisor])]);
      return g.op("Where", [positive, total, minusInfinity]);
    },
  };
}
