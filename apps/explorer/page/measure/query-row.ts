import { heads } from "../model/sizes.js";
import type { LayerData } from "../worker/protocol.js";

/** The numbers of one query in one head. */
export interface QueryRow {
  readonly query: Float32Array;
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
  /** Scaled dot products with every key. */
  readonly scores: Float32Array;
  readonly weights: Float32Array;
  readonly output: Float32Array;
  readonly scale: number;
  /** Keys that the query sees. */
  readonly visible: readonly boolean[];
}

/** Takes the numbers of query `i` out of a layer. */
export function queryRow(layer: LayerData, head: number, i: number, causal: boolean): QueryRow {
  const { headDim, scale } = layer;
  const length = layer.query.length / heads / headDim;
  const vector = (all: Float32Array, row: number) => {
    const start = (head * length + row) * headDim;
    return all.subarray(start, start + headDim);
  };
  const all = Array.from({ length }, (_, j) => j);
  const start = (head * length + i) * length;
  return {
    query: vector(layer.query, i),
    keys: all.map((j) => vector(layer.key, j)),
    values: all.map((j) => vector(layer.value, j)),
    scores: layer.scores.subarray(start, start + length),
    weights: layer.weights.subarray(start, start + length),
    output: vector(layer.output, i),
    scale,
    visible: all.map((j) => !causal || j <= i),
  };
}
