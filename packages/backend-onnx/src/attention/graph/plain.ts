import { statisticsDType } from "@heed/core";
import { GraphBuilder, type Value } from "../../model/builder.js";
import type { ModelDType, ModelGraph } from "../../model/model.js";
import { chunkedProduct, panelProduct } from "./chunks.js";
import { guardValues, leakSign, restoreInfinities, returnLeakSum } from "./guard.js";
import { biasInput, mainInputs, maskInput, withoutHeads } from "./inputs.js";
import { scaledLogits } from "./logits.js";
import { poolProduct, poolSum } from "./pool.js";
import type { PositionSource, PositionValues } from "./positions.js";
import { maskedBy, scoredBy } from "./programs.js";
import { softmaxOver } from "./softmax.js";
import { type Arithmetic, type GraphSpec, headDims, isGrouped } from "./spec.js";
import { type Parts, splitInParts } from "./storage.js";

/** Every operator used has had its meaning since then, and every provider knows it. */
const opset = 18;

/** The first in which DequantizeLinear has scales of blocks. */
const opsetOfBlocks = 21;

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
  const g = new GraphBuilder(given.storage?.dtype === "int8" ? opsetOfBlocks : opset);
  const compute = statisticsDType(given.dtype);
  const read = mainInputs(g, given, compute);
  // Reshape takes a size of 0 for "as it was", so that heads are not to be stacked where there are none.
  const headless = given.queryHeads === 0 && given.kvHeads > 0;
  const spec = headless ? { ...given, kvHeads: 0 } : given;
  const inputs = headless
    ? { ...read, key: withoutHeads(g, read.key), value: withoutHeads(g, read.value) }
    : read;
  const positions = positionSource(g, spec, compute);
  const mask = maskedBy(g, spec, arithmetic, maskInput(g, spec, arithmetic), compute);

  const [firstValues, ...otherValues] = inputs.value;
  const values = guardValues(g, spec, firstValues, positions, compute);
  const logits = scaledLogits(g, spec.logits, inputs.query, spec.scores === "raw", compute);
  const query = stackedQuery(g, spec, logits.query);
  const product = timesScales(g, keyProduct(g, spec, query, inputs.key), inputs.keyScales);
  const perHead = needsRows(spec);
  const raw = perHead ? unstack(g, spec, product) : product;
  const capped = logits.capped(raw);
  const bias = biasInput(g, spec, compute);
  const added = addBiases(g, spec, capped, { bias, positions }, compute);
  const biased = scoredBy(g, spec, arithmetic, added, compute);
  returnScores(g, spec, { raw, capped, biased }, positions, compute);

  const softmax = softmaxOver(g, spec, arithmetic, biased, { mask, bias, positions, compute });
  const stacked = (rows: Value): Value =>
    perHead && isGrouped(spec) ? g.reshape(rows, 0, spec.kvHeads, -1, 0) : rows;
  const sum = (weights: Value, ...of: Parts): Value =>
    unstack(
      g,
      spec,
      weightedSum(g, spec, timesScales(g, stacked(weights), inputs.valueScales), of),
    );
  const average = softmax.finish(sum(softmax.weights, values.finite, ...otherValues));
  const finite = softmax.divided
    ? whereFinite(g, average, sum(softmax.divided, values.finite, ...otherValues), compute)
    : average;
  const output = restoreInfinities(g, values, softmax, finite, { sum, compute });
  if (arithmetic.looksAgain && leakSign("plain", spec, arithmetic) === "sum") {
    returnLeakSum(g, output, compute);
  }
  const rows = ["batch", spec.queryHeads, "queryLength"];
  g.output("output", g.cast(output, compute, spec.dtype), spec.dtype, [...rows, spec.valueDim]);
  if (spec.weights) {
    const weights = g.cast(softmax.exactWeights(), compute, spec.dtype);
    g.output("weights", weights, spec.dtype, [...rows, "keyLength"]);
  }
  if (spec.logSumExp) g.output("logSumExp", softmax.logSumExp(), compute, [...rows, 1]);
  return g.build();
}

/** The first, but for elements that are not finite, which are those of the other. */
function whereFinite(g: GraphBuilder, first: Value, other: Value, compute: ModelDType): Value {
  // x − x is 0 of finite numbers only.
  const whole = g.op("Equal", [g.op("Sub", [first, first]), g.scalar(compute, 0)]);
  return g.op("Where", [whole, first, other]);
}

/** Logits or weights, `[B, Hkv, rows, Lk]`, times what keys or values lack. */
function timesScales(g: GraphBuilder, rows: Value, scales: Value | null): Value {
  return scales ? g.op("Mul", [rows, scales]) : rows;
}

/** Dot products of queries and keys, `[B, Hkv, rows, Lk]`. */
function keyProduct(g: GraphBuilder, { storage }: GraphSpec, query: Value, keys: Parts): Value {
  if (storage?.pool) return poolProduct(g, storage.pool, query, keys[0]);
  const products = keys.map((key) =>
    g.op("MatMul", [query, g.op("Transpose", [key], { perm: [0, 1, 3, 2] })]),
  );
  return products.length === 1 ? (products[0] as Value) : g.op("Concat", products, { axis: 3 });
}

function weightedSum(
  g: GraphBuilder,
  { chunks, storage }: GraphSpec,
  weights: Value,
  parts: Parts,
): Value {
  const [of, ...others] = parts;
  if (storage?.pool) return poolSum(g, storage.pool, weights, of);
  if (others.length > 0) {
    const cut = splitInParts(g, weights, 3, parts.length, "partKeys");
    return g.op(
      "Sum",
      parts.map((part, n) => g.op("MatMul", [cut[n] as Value, part])),
    );
  }
  if (chunks === null) return g.op("MatMul", [weights, of]);
  return chunks.products === "panels"
    ? panelProduct(g, weights, of)
    : chunkedProduct(g, chunks.sums, weights, of);
}

/** `[B, Hq, Lq, D]` as `[B, Hkv, G·Lq, D]`. */
function stackedQuery(g: GraphBuilder, spec: GraphSpec, query: Value): Value {
  return isGrouped(spec) ? g.reshape(query, 0, spec.kvHeads, -1, spec.headDim) : query;
}

/** Whether anything between the products tells a group's heads apart. */
function needsRows(spec: GraphSpec): boolean {
  const { mask, bias, programs, band, alibi, sinks, logSumExp, weights, scores, guard, chunks } =
    spec;
  const rules = mask || bias || programs || band || alibi || sinks;
  return Boolean(rules || logSumExp || weights || scores || chunks || guard === "elements");
}

/** `[B, Hkv, G·Lq, X]` as `[B, Hq, Lq, X]`. */
function unstack(g: GraphBuilder, spec: GraphSpec, rows: Value): Value {
  return isGrouped(spec) ? g.reshape(rows, 0, spec.queryHeads, -1, 0) : rows;
}

function addBiases(
  g: GraphBuilder,
  spec: GraphSpec,
  capped: Value,
  { bias, positions }: { bias: Value | null; positions: PositionValues },
  compute: ModelDType,
): Value {
  const { query: queryPositions, key: keyPositions, high } = positions;
  let logits = bias ? g.op("Add", [capped, bias]) : capped;
  if (spec.alibi && queryPositions !== null && keyPositions !== null) {
    const slopes = g.input("alibiSlopes", compute, headDims(spec));
    let difference = g.op("Sub", [queryPositions, keyPositions]);
    if (high) difference = g.op("Add", [g.op("Sub", [high.query, high.key]), difference]);
    const distance = g.op("Abs", [difference]);
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
