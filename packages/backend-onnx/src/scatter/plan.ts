import {
  type BoundScatter,
  type HostTensor,
  type KernelPlan,
  type ScatterOutputs,
  type ScatterProblem,
  scatterRows,
  type Verdict,
} from "@heed/core";
import type { OnnxContext } from "../context.js";

/**
 * Whether rows can be written in place: onnxruntime's operators give new tensors, so that only host
 * memory can, which JavaScript writes. Where the provider has memory of its own, scatter is refused.
 */
export function decideScatter(
  _problem: ScatterProblem,
  { memory }: Pick<OnnxContext, "memory">,
): Verdict<undefined> {
  if (memory === null) return { decision: undefined };
  const message = "onnxruntime's operators write no tensor of its device in place";
  const hint = "keep caches in host memory, or in that of the webgpu backend";
  return { reasons: [{ code: "in-place", message, hint }] };
}

/** The plan of a problem on host tensors. */
export function planScatter({
  targetDType,
  headDim,
}: ScatterProblem): KernelPlan<BoundScatter, ScatterOutputs> {
  return {
    description: {
      kernel: `scatter-rows-${targetDType.replace("float", "f")}`,
      tiles: {},
      workspaceBytes: targetDType === "int8" ? 8 * headDim : 0,
      dispatches: 1,
      notes: ["rows are written by JavaScript"],
    },
    run: (bound) => {
      scatterRows(bound as BoundScatter<HostTensor>);
      return bound.outputs;
    },
  };
}
