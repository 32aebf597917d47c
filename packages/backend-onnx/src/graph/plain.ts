import { statisticsDType } from "@heed/core";
import { GraphBuilder, type Value } from "../model/builder.js";
import type { ModelDType, ModelGraph } from "../model/model.js";
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
    compute === "float64"
      ? g.constant(compute, [spec.headDim], new Array<number>(spec.headDim).fill(scale))
      : g.scalar(compute, scale);
  const scaled = scale === 1 ? query : g.op("Mul", [query, constant]);
  const stacked =
    spec.kvHeads === spec.queryHeads
      ? scaled
      : g.reshape(scaled, 0, spec.kvHeads, -1, spec.headDim);
  const factor = spec.softcap === null || early ? null : 1 / spec.softcap;
  return { query: stacked, factor };
}

/** Whether anything between the products tells a group's heads apart. */
function needsRows(spec: GraphSpec): boolean {
  const { mask, bias, band, alibi, sinks, logSumExp, weights, scores, guard } = spec;
  const rules = mask || bias || band || alibi || sinks;
  return Boolean(rules || logSumExp || weights || scores || guard === "elements");
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
