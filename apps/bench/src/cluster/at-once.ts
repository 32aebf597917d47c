import {
  type AttentionProblem,
  attention,
  defineBackend,
  implement,
  type Provider,
  referenceKernels,
  statisticsDType,
  zeros,
} from "@heed/core";

/** Keys up to which calls are computed: the self-test of each worker has to pass. */
const computed = 1024;

const reference = referenceKernels(attention).kernels;

/**
 * A backend that answers calls over many keys at once, with zeros: a worker with it does all that any worker does except
 * computing. For measuring what messages and merging cost; its answers are wrong.
 */
export default function atOnce(): Provider {
  return defineBackend<null>({
    name: "at-once",
    load: () => null,
    info: () => ({ runtime: "JavaScript", device: "none", features: [], threads: 1 }),
    operations: {
      attention: implement(attention, {
        plan: (problem: AttentionProblem) => {
          const { dtype, batch, queryHeads, queryLength, valueDim, keyLength } = problem;
          if (keyLength <= computed) return reference.plan(problem, undefined, undefined) as never;
          const shape = [batch, queryHeads, queryLength];
          return {
            description: { kernel: "none", tiles: {}, workspaceBytes: 0, dispatches: 0 },
            run: () => ({
              output: zeros(dtype, [...shape, valueDim]),
              logSumExp: zeros(statisticsDType(dtype), shape),
            }),
          };
        },
      }),
    },
  });
}
