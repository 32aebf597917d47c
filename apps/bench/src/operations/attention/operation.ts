import { judge, judgeRows, sampleRows } from "@heed/conformance";
import {
  type AttentionInputs,
  type AttentionProblem,
  attentionWork,
  contiguous,
  attention as definition,
  describeProblem,
  type HostTensor,
  type Tensor,
} from "@heed/core";
import { type Judge, translate, worstOf } from "../../measure/judge.js";
import type { MeasuredOperation } from "../operation.js";

/** Rows looked at in a call too large to be evaluated as a whole, in float64 and naively. */
const sampledRows = 48;
/** Operations up to which it is looked at as a whole; that takes about a tenth of a second. */
const mostFlops = 2.5e7;

const tensorNames = ["query", "key", "value", "mask", "bias"] as const;

export const attention: MeasuredOperation<AttentionInputs<HostTensor>, AttentionProblem> = {
  definition,
  prepareJudge: judgeOf,
  sizesOf: ({ batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim }) => ({
    batch,
    queryHeads,
    kvHeads,
    queryLength,
    keyLength,
    headDim,
    valueDim,
  }),
  replaceTensors: async (inputs, replace) => {
    const tensors: { [name in (typeof tensorNames)[number]]?: Tensor } = {};
    for (const name of tensorNames) {
      const t = inputs[name];
      if (t !== undefined) tensors[name] = await replace(t);
    }
    return { ...inputs, ...tensors };
  },
};

function judgeOf(inputs: AttentionInputs<HostTensor>): Judge {
  const problem = describeProblem(inputs);
  const shape = [problem.batch, problem.queryHeads, problem.queryLength, problem.valueDim];
  const whole = attentionWork(problem, inputs).flops <= mostFlops;
  const rows = whole ? [] : sampleRows(inputs, sampledRows);
  return (outputs) => {
    const output = outputs.output as HostTensor;
    // Rows of another shape cannot even be found.
    if (String(output.shape) !== String(shape)) {
      const got = `[${output.shape.join(", ")}]`;
      return { errorInBudgets: null, wrong: `its shape is ${got}, not [${shape.join(", ")}]` };
    }
    if (whole) return translate(judge(inputs, { output: contiguous(output) }));
    return worstOf(rows.map((row) => translate(judgeRows(inputs, { output }, [row]), row)));
  };
}
