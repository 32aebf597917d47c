import type { AttentionProblem } from "@heed/core";
import type { RowStatistics } from "./kernels/softmax.js";
import { type JsPlan, workspaceElements } from "./plan.js";

/** A block's rows: which query of which head each is. */
export interface BlockRows {
  /** Query head. */
  readonly head: Int32Array;
  /** Query row i. */
  readonly index: Int32Array;
  /** Position of the row on the key axis; float64, since i + offset can leave 32 bits. */
  readonly position: Float64Array;
}

/** What a run needs beside inputs and outputs; made once a plan, independent of the lengths. */
export interface Workspace {
  /** Scaled. Tiled: panels of 3 rows, `[rows/3, headDim, 3]`; stream: `[rows, headDim]`. */
  readonly query: Float64Array;
  /** Panels of 4 keys, `[keys/4, headDim, 4]`. */
  readonly key: Float64Array;
  /** `[keys, valueStride]`. */
  readonly value: Float64Array;
  /** Logits of a tile, then weights. Tiled: `[rows/3, keys, 3]`; stream: `[rows, keys]`. */
  readonly scores: Float64Array;
  /** `[keys]`: a row of scores on its way out. */
  readonly row: Float64Array;
  /** `[rows, valueStride]`, not yet divided by the sum. */
  readonly output: Float64Array;
  /** `[rows, keyLength]` if weights are wanted. */
  readonly logits: Float64Array;
  /** `[keys, headDim]`, for what cannot be read in place. */
  readonly key32: Float32Array;
  /** `[keys, valueStride]`, for what cannot be read in place. */
  readonly value32: Float32Array;
  readonly rows: BlockRows;
  readonly statistics: RowStatistics;
}

export function makeWorkspace(problem: AttentionProblem, plan: JsPlan): Workspace {
  const { float64, float32 } = workspaceElements(problem, plan);
  return {
    query: new Float64Array(float64.query),
    key: new Float64Array(float64.key),
    value: new Float64Array(float64.value),
    scores: new Float64Array(float64.scores),
    row: new Float64Array(float64.row),
    output: new Float64Array(float64.output),
    logits: new Float64Array(float64.logits),
    key32: new Float32Array(float32.key),
    value32: new Float32Array(float32.value),
    rows: {
      head: new Int32Array(plan.rows),
      index: new Int32Array(plan.rows),
      position: new Float64Array(plan.rows),
    },
    statistics: { max: new Float64Array(plan.rows), sum: new Float64Array(plan.rows) },
  };
}
