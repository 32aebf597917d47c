import { statisticsDType } from "@heed/core";
import { GraphBuilder, type Value } from "../../model/builder.js";
import type { ModelGraph } from "../../model/model.js";
import { biasInput, mainInputs, maskInput } from "./inputs.js";
import type { PositionSource } from "./positions.js";
import { hasMasks, maskAxes, maskedBy } from "./programs.js";
import { notAllHidden } from "./softmax.js";
import type { Arithmetic, GraphSpec } from "./spec.js";
import { asBias, visibility } from "./visibility.js";

/** The first that has the operator Attention. */
const opset = 23;

/**
 * Attention as one node of the operator Attention, for what that can say: see `chooseGraph`. Its mask
 * is a bias, to which masks and ranges of keys come down; empty rows are 0 afterwards, since what the
 * operator makes of them differs between versions.
 */
export function attentionGraph(
  spec: GraphSpec,
  arithmetic: Arithmetic,
  positionSource: PositionSource,
): ModelGraph {
  const g = new GraphBuilder(opset);
  const compute = statisticsDType(spec.dtype);
  const {
    query,
    key: [key],
    value: [value],
  } = mainInputs(g, spec, compute);
  const mask = maskedBy(g, spec, arithmetic, maskInput(g, spec, arithmetic), compute);
  const causal = isCausal(spec);
  const positions = causal ? null : positionSource(g, spec, compute);

  const visible = positions && visibility(g, arithmetic, { mask, positions });
  let added: Value | null = visible && asBias(g, visible, compute);
  const given = biasInput(g, spec, compute);
  if (given) {
    const bias = aboveLowest(g, given, compute);
    added = added ? g.op("Add", [bias, added]) : bias;
  }
  let seen: Value | null = null;
  if (added && (hasMasks(spec) || spec.bias)) {
    const largest = (): Value => g.reduce("ReduceMax", added as Value);
    seen = spec.bias
      ? notAllHidden(g, added, compute)
      : g.op("Greater", [largest(), g.scalar(compute, Number.NEGATIVE_INFINITY)]);
  } else if (spec.band?.emptyRows && positions) {
    seen = positions.anyInBand;
  }
  const whole = added && wholeMatrix(g, spec, added, { query, key });
  const attended = g.op("Attention", [query, key, value, ...(whole ? [whole] : [])], {
    is_causal: causal ? 1 : 0,
    scale: { float: spec.logits.scale },
  });
  const output = seen ? g.op("Where", [seen, attended, g.scalar(compute, 0)]) : attended;
  const dims = ["batch", spec.queryHeads, "queryLength", spec.valueDim];
  g.output("output", g.cast(output, compute, spec.dtype), spec.dtype, dims);
  return g.build();
}

/** The added matrix with all rows and keys, since the operator repeats it over batches and heads only. */
function wholeMatrix(
  g: GraphBuilder,
  spec: GraphSpec,
  added: Value,
  { query, key }: { query: Value; key: Value },
): Value {
  const { bias, band } = spec;
  const axes = [
    maskAxes(spec),
    bias?.axes ?? null,
    band && ([true, false, band.perRow, true] as const),
  ];
  if ([2, 3].every((axis) => axes.some((input) => input?.[axis]))) return added;
  const length = (of: Value): Value => g.op("Shape", [of], { start: 2, end: 3 });
  const shape = g.op("Concat", [g.integers(1, 1), length(query), length(key)], { axis: 0 });
  return g.op("Expand", [added, shape]);
}

/**
 * A bias without the lowest float32, next to which anything else does as well: onnxruntime takes it for
 * its own sign of a hidden key, and a row of nothing else for one that sees none.
 */
function aboveLowest(g: GraphBuilder, bias: Value, compute: "float64" | "float32"): Value {
  const lowest = g.op("Equal", [bias, g.scalar(compute, -3.4028234663852886e38)]);
  return g.op("Where", [lowest, g.scalar(compute, -3.4e38), bias]);
}

/** Whether the operator's own `is_causal` says what the positions hide. */
export function isCausal(spec: GraphSpec): boolean {
  const { band, bias } = spec;
  return band?.diagonal?.keys === null && !hasMasks(spec) && bias === null;
}
