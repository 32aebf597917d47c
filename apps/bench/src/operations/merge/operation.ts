import { ieee754, judgeMerge } from "@heed/conformance";
import {
  contiguous,
  merge as definition,
  type HostTensor,
  type MergeInputs,
  type MergeProblem,
  type PartialAttention,
  type Tensor,
} from "@heed/core";
import { translate } from "../../measure/judge.js";
import type { MeasuredOperation } from "../operation.js";

export const merge: MeasuredOperation<MergeInputs<HostTensor>, MergeProblem> = {
  definition,
  prepareJudge: (inputs) => (outputs) =>
    translate(
      judgeMerge(
        inputs,
        {
          output: contiguous(outputs.output as HostTensor),
          logSumExp: contiguous(outputs.logSumExp as HostTensor),
        },
        ieee754,
      ),
    ),
  sizesOf: ({ parts, rows, valueDim }) => ({ parts, rows, valueDim }),
  replaceTensors: async ({ parts }, replace) => {
    const replaced: PartialAttention<Tensor>[] = [];
    for (const { output, logSumExp } of parts) {
      replaced.push({ output: await replace(output), logSumExp: await replace(logSumExp) });
    }
    return { parts: replaced };
  },
};
