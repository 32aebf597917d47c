import type { AttentionProvider } from "../operation/backend.js";
import { hostProvider } from "../operation/host-provider.js";
import { statisticsDType } from "../tensor/dtype.js";
import type { HostTensor } from "../tensor/tensor.js";
import { cast } from "../tensor/values.js";
import type { BoundInputs } from "./bind.js";
import type { AttentionOutputs } from "./inputs.js";
import type { AttentionProblem } from "./problem.js";
import { evaluateReference } from "./reference.js";

/**
 * The float64 reference as a backend: every problem, slowly. Outputs are rounded once to the dtypes
 * that every backend returns.
 */
export function reference(): AttentionProvider {
  return hostProvider("reference", () => ({
    info: { runtime: "JavaScript", device: "CPU", features: [], threads: 1 },
    plan: (problem) => ({
      description: {
        kernel: "reference",
        tiles: {},
        workspaceBytes: referenceWorkspaceBytes(problem),
        dispatches: 1,
      },
      run: (bound) => runReference(problem, bound),
    }),
  }));
}

/** Copies of the inputs in float64, a row of logits, and the outputs before rounding. */
function referenceWorkspaceBytes(p: AttentionProblem): number {
  const heads = p.batch * p.queryHeads;
  const inputs =
    heads * p.queryLength * p.headDim +
    p.batch * p.kvHeads * p.keyLength * (p.headDim + p.valueDim);
  const scores = heads * p.queryLength * p.keyLength;
  const matrices = (p.returns.weights ? 1 : 0) + (p.returns.scores ? 1 : 0);
  const outputs = heads * p.queryLength * (p.valueDim + 1) + matrices * scores;
  return 8 * (inputs + outputs + p.keyLength);
}

function runReference(problem: AttentionProblem, bound: BoundInputs): AttentionOutputs<HostTensor> {
  const { output, logSumExp, weights, scores } = evaluateReference(problem, bound);
  const { dtype } = problem;
  return {
    output: cast(output, dtype),
    ...(logSumExp && { logSumExp: cast(logSumExp, statisticsDType(dtype)) }),
    ...(weights && { weights: cast(weights, dtype) }),
    ...(scores && { scores: cast(scores, dtype) }),
  };
}
