import { ieee754, judgeRotary } from "@heed/conformance";
import {
  contiguous,
  rotary as definition,
  type HostTensor,
  type RotaryInputs,
  type RotaryProblem,
} from "@heed/core";
import { translate } from "../../measure/judge.js";
import type { MeasuredOperation } from "../operation.js";

export const rotary: MeasuredOperation<RotaryInputs<HostTensor>, RotaryProblem> = {
  definition,
  prepareJudge: (inputs) => (outputs) =>
    translate(judgeRotary(inputs, { output: contiguous(outputs.output as HostTensor) }, ieee754)),
  sizesOf: ({ batch, heads, length, headDim, rotaryDim }) => ({
    batch,
    heads,
    length,
    headDim,
    rotaryDim,
  }),
  // Positions and offsets are read by the host.
  replaceTensors: async (inputs, replace) => ({
    ...inputs,
    input: await replace(inputs.input),
    ...(inputs.cos && { cos: await replace(inputs.cos) }),
    ...(inputs.sin && { sin: await replace(inputs.sin) }),
  }),
};
