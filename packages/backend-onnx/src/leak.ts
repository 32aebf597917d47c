import type { AttentionProblem, FloatDType, TypedArray } from "@heed/core";
import type { Bounds } from "./bounds.js";
import type { LeakSign } from "./graph/guard.js";
import { finiteRuns } from "./hidden-values.js";
import type { RuntimeTensor } from "./runtime/runtime.js";

/**
 * Whether something hidden may have leaked into a run's outputs: see {@link LeakSign}.
 *
 * @param results the graph's outputs
 */
export function mayHaveLeaked(
  sign: LeakSign,
  problem: AttentionProblem,
  bounds: Bounds,
  { output, leakSum }: Readonly<Record<string, RuntimeTensor>>,
): boolean {
  if (sign === "rows" && output) return edgeRowsTell(problem, bounds, output);
  return leakSum !== undefined && !Number.isFinite((leakSum.data as Float32Array)[0]);
}

/** @param output `[batch, queryHeads, queryLength, valueDim]` */
function edgeRowsTell(
  { batch, queryHeads, queryLength, valueDim }: AttentionProblem,
  { batches, edgeRows }: Bounds,
  output: RuntimeTensor,
): boolean {
  const finite = finiteRuns({
    data: output.data as TypedArray,
    dtype: output.type as FloatDType,
  });
  for (let b = 0; b < batch; b++) {
    const edges = edgeRows[batches === 1 ? 0 : b];
    if (!edges) continue;
    const [first, last] = edges;
    for (let h = 0; h < queryHeads; h++) {
      const head = (b * queryHeads + h) * queryLength;
      if (!finite((head + first) * valueDim, valueDim, 1)) return true;
      if (last !== first && !finite((head + last) * valueDim, valueDim, 1)) return true;
    }
  }
  return false;
}
