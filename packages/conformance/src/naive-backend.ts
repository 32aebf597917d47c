import { type AttentionProvider, fromFloat64, type HostTensor, statisticsDType } from "@heed/core";
import { naiveAttention } from "./naive.js";

/** {@link naiveAttention} as a backend: the yardstick, where a vector takes more than one call. */
export function naive(): AttentionProvider {
  return {
    name: "naive",
    load: async () => ({
      name: "naive",
      info: { runtime: "JavaScript", device: "CPU", features: [], threads: 1 },
      supports: () => ({ ok: true }),
      plan: (problem) => ({
        description: { kernel: "naive", tiles: {}, workspaceBytes: 0, dispatches: 1 },
        run: async (inputs) => {
          const { batch, queryHeads, queryLength, keyLength, valueDim, dtype } = problem;
          const rows = [batch, queryHeads, queryLength];
          const matrix = [...rows, keyLength];
          const result = naiveAttention(inputs as Parameters<typeof naiveAttention>[0]);
          const give = (values: Float64Array, shape: readonly number[]): HostTensor =>
            fromFloat64(values, shape, dtype);
          return {
            output: give(result.output, [...rows, valueDim]),
            ...(problem.returns.logSumExp && {
              logSumExp: fromFloat64(result.logSumExp, rows, statisticsDType(dtype)),
            }),
            ...(result.weights && { weights: give(result.weights, matrix) }),
            ...(result.scores && { scores: give(result.scores, matrix) }),
          };
        },
        dispose: () => {},
      }),
      dispose: () => {},
    }),
  };
}
