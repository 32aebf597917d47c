import { canonicalAxes, storedDims } from "../../layout/axis-order.js";
import type { GraphBuilder, Value } from "../../model/builder.js";
import type { Dimension, ModelDType } from "../../model/model.js";
import type { BroadcastAxes, GraphSpec } from "./spec.js";

export interface MainValues {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
}

export function mainInputs(g: GraphBuilder, spec: GraphSpec, compute: ModelDType): MainValues {
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

/** Keys or values without any head. */
export function withoutHeads(g: GraphBuilder, value: Value): Value {
  return g.op("Slice", [value, g.integers(0), g.integers(0), g.integers(1)]);
}

export function broadcastDims([b, h, i, j]: BroadcastAxes, heads: number): Dimension[] {
  return [b ? "batch" : 1, h ? heads : 1, i ? "queryLength" : 1, j ? "keyLength" : 1];
}
