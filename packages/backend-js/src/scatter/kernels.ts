import {
  type BoundScatter,
  type HostTensor,
  type Implementation,
  implement,
  type ScatterProblem,
  scatter,
  scatterRows,
} from "@heed/core";

/** Scatter in place, a row at a time, with one rounding. */
export const scatterKernels: Implementation<unknown> = implement(scatter, {
  plan: (problem: ScatterProblem) => ({
    description: {
      kernel: `scatter-rows-${problem.targetDType}`,
      tiles: {},
      workspaceBytes: problem.targetDType === "int8" ? 8 * problem.headDim : 0,
      dispatches: 1,
    },
    run: (bound) => {
      const { outputs } = bound as BoundScatter<HostTensor>;
      scatterRows(bound as BoundScatter<HostTensor>);
      return outputs;
    },
  }),
});
