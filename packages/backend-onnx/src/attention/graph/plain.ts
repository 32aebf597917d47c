import { statisticsDType } from "@heed/core";
import { GraphBuilder, type Value } from "../../model/builder.js";
import type { ModelDType, ModelGraph } from "../../model/model.js";
import { chunkedProduct } from "./chunks.js";
import { guardValues, restoreInfinities } from "./guard.js";
import { broadcastDims, mainInputs, withoutHeads } from "./inputs.js";
import type { PositionSource, PositionValues } from "./positions.js";
import { softmaxOver } from "./softmax.js";
import type { Arithmetic, GraphSpec } from "./spec.js";

/** Every operator used has had its meaning since then, and every provider knows it. */
const opset = 18;

/**
 * Attention from plain operators: MatMul, Softmax, MatMul, with whatever a problem needs between
 * them. Inputs are named as the call's own; the statistics are float32, or float64 for float64.
 *
 * Grouped query heads are stacked along the rows, `[B, Hkv, G·Lq, D]`, so that keys and values are
 * neither repeated nor broadcast; row-major, that is `[B, Hq, Lq, …]` under another shape.
 */
export function plainGraph(
  given: GraphSpec,
  arithmetic: Arithmetic,
  positionSource: PositionSource,
): ModelGraph {
  const g = new GraphBuilder(opset);
  const compute = statisticsDType(given.dtype);
  const read = mainInputs(g, given, compute);
  // Reshape takes a size of 0 for "as it was", so that heads are not to be stacked where there are none.
  const headless = given.queryHeads === 0 && given.kvHeads > 0;
  const spec = headless ? { ...given, kvHeads: 0 } : given;
  const inputs = headless
    ? { ...read, key: withoutHeads(g, read.key), value: withoutHeads(g, read.value) }
    : read;
  const positions = positionSource(g, spec, compute);
  const mask = spec.mask && g.input("mask", "bool", broadcastDims(spec.mask, spec.queryHeads));

  const values = guardValues(g, spec, inputs.value, positions, compute);
  const { query, factor } = scaledQuery(g, spec, inputs.query, compute);
  const product = g.op("MatMul", [query, g.op("Transpose", [inputs.key], { perm: [0, 1, 3, 2] })]);
  const perHead = needsRows(spec);
  const raw = perHead ? unstack(g, spec, product) : product;
  const capped = softcap(g, spec, raw, factor, compute);
  const bias = biasInput(g, spec, compute);
  const biased = addBiases(g, spec, capped, { bias, positions }, compute);
  returnScores(g, spec, { raw, capped, biased }, positions, compute);

  const softmax = softmaxOver(g, spec, arithmetic, biased, { mask, bias, positions, compute });
  const stacked = (rows: Value): Value =>
    perHead && spec.kvHeads !== spec.queryHeads ? g.reshape(rows, 0, spec.kvHeads, -1, 0) : rows;
  const sum = (weights: Value, of: Value): Value =>
    unstack(g, spec, weightedSum(g, spec, stacked(weights), of));
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

function weightedSum(g: GraphBuilder, { chunks }: GraphSpec, weights: Value, of: Value): Value {
  return chunks ? chunkedProduct(g, chunks, weights, of) : g.op("MatMul", [weights, of]);
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
  const { softcap: cap } = spec;
  const early = cap !== null && cap < hugeSoftcap && spec.scores !== "raw";
  const scale = finite(compute, early ? spec.scale / cap : spec.scale);
  const scaled = scale === 1 ? query : scaledBy(g, query, scale, 2, compute);
  const stacked =
    spec.kvHeads === spec.queryHeads
      ? scaled
      : g.reshape(scaled, 0, spec.kvHeads, -1, spec.headDim);
  const factor = cap === null || early ? null : finite(compute, 1 / cap);
  return { query: stacked, factor };
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

/** Whether anything between the products tells a group's heads apart. */
function needsRows(spec: GraphSpec): boolean {
  const { mask, bias, band, alibi, sinks, logSumExp, weights, scores, guard, chunks } = spec;
  const rules = mask || bias || band || alibi || sinks;
  return Boolean(rules || logSumExp || weights || scores || chunks || guard === "elements");
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
  compute: "float64" | "float32",
): Value {
  if (spec.softcap === null) return raw;
  const cap = finite(compute, spec.softcap);
  const divided = factor === null ? raw : scaledBy(g, raw, factor, 3, compute);
  const capped = g.op("Mul", [g.op("Tanh", [divided]), g.scalar(compute, cap)]);
  if (cap < hugeSoftcap) return capped;
  const small = g.scalar(compute, cap * identityBelow[compute]);
  return g.op("Where", [g.op("Less", [g.op("Abs", [raw]), small]), raw, capped]);
}

function biasInput(g: GraphBuilder, spec: GraphSpec, compute: ModelDType): Value | null {
  if (spec.bias === null) return null;
  const { dtype, axes } = spec.bias;
  return g.cast(g.input("bias", dtype, broadcastDims(axes, spec.queryHeads)), dtype, compute);
}

function addBiases(
  g: GraphBuilder,
  spec: GraphSpec,
  capped: Value,
  { bias, positions }: { bias: Value | null; positions: PositionValues },
  compute: ModelDType,
): Value {
  const { query: queryPositions, key: keyPositions } = positions;
  let logits = bias ? g.op("Add", [capped, bias]) : capped;
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
