import type { AttentionProblem } from "@heed/core";
import { type Doubles, doubles } from "@heed/core/program";
import { RowProducts } from "./kernels/row-products.js";
import type { RowStatistics } from "./kernels/softmax.js";
import { type JsPlan, workspaceElements } from "./plan.js";

/** The query row and query head that each row of a block stands for. */
export interface BlockRows {
  /** Query head. */
  readonly head: Int32Array;
  /** Query row i. */
  readonly index: Int32Array;
  /** Position of the row on the key axis; float64, since i + offset can leave 32 bits. */
  readonly position: Float64Array;
}

/** A run's memory beside inputs and outputs; made once a plan, independent of the lengths. */
export interface Workspace {
  /** Scaled. Tiled: panels of 3 rows, `[rows/3, headDim, 3]`; stream: `[rows, headDim]`. */
  readonly query: Doubles;
  /** Panels of 4 keys, `[keys/4, headDim, 4]`. */
  readonly key: Doubles;
  /** `[keys, valueStride]`. */
  readonly value: Doubles;
  /** Logits of a tile, then weights. Tiled: `[rows/3, keys, 3]`; stream: `[rows, keys]`. */
  readonly scores: Doubles;
  /** A row of scores or of the output on its way out. */
  readonly row: Float64Array;
  /** `[rows, valueStride]`, not yet divided by the sum; in blocks that overflowed, with the factor of weights. */
  readonly output: Doubles;
  /** `[keys, headDim]`, for what cannot be read in place. */
  readonly key32: Float32Array;
  /** `[keys, valueStride]`, for what cannot be read in place. */
  readonly value32: Float32Array;
  /** The products of a tile where panels are not multiplied as they are. */
  readonly rowProducts: RowProducts | null;
  readonly rows: BlockRows;
  readonly statistics: RowStatistics;
}

export function makeWorkspace(problem: AttentionProblem, plan: JsPlan): Workspace {
  const { float64, float32 } = workspaceElements(problem, plan);
  return {
    query: doubles(float64.query),
    key: doubles(float64.key),
    value: doubles(float64.value),
    scores: doubles(float64.scores),
    row: new Float64Array(float64.row),
    output: doubles(float64.output),
    key32: new Float32Array(float32.key),
    value32: new Float32Array(float32.value),
    rowProducts: plan.multipliesRows
      ? new RowProducts(problem.headDim, plan.keyStride, plan.valueStride)
      : null,
    rows: {
      head: new Int32Array(plan.grid.rows),
      index: new Int32Array(plan.grid.rows),
      position: new Float64Array(plan.grid.rows),
    },
    statistics: {
      max: new Float64Array(plan.grid.rows),
      sum: new Float64Array(plan.grid.rows),
      hidden: false,
      weightFactor: 1,
    },
  };
}
