import type { OperandSpec, Operation } from "../operation/operation.js";
import { guarded } from "../options.js";
import { bytesPerElement } from "../tensor/dtype.js";
import type { HostTensor } from "../tensor/tensor.js";
import { type BoundRotary, bindRotary } from "./bind.js";
import { describeRotary } from "./describe.js";
import type { RotaryInputs, RotaryOutputs } from "./inputs.js";
import type { RotaryProblem } from "./problem.js";
import { referenceRotary } from "./reference.js";

/** Every tensor of a call: input, cosines and sines, then the output. */
function rotaryOperands(p: RotaryProblem): readonly OperandSpec[] {
  const shape = [p.batch, p.heads, p.length, p.headDim];
  const table = [p.tableRows, p.rotaryDim / 2];
  return [
    { name: "input", shape, dtype: p.dtype, access: "read" },
    { name: "cos", shape: table, dtype: p.tableDType, access: "read" },
    { name: "sin", shape: table, dtype: p.tableDType, access: "read" },
    { name: "output", shape, dtype: p.dtype, access: "write" },
  ];
}

/** Rotary position embedding as an operation; its semantics are those of {@link RotaryInputs}. */
export const rotary: Operation<RotaryInputs, RotaryProblem, RotaryOutputs, BoundRotary> = {
  name: "rotary",
  describe: guarded("inputs", describeRotary),
  bind: guarded("inputs", bindRotary),
  operands: rotaryOperands,
  reference: (bound) => referenceRotary(bound as BoundRotary<HostTensor>),
  work: ({ problem: p }) => {
    const vectors = p.batch * p.heads * p.length;
    return {
      // Four products and two sums for each pair.
      flops: 3 * vectors * p.rotaryDim,
      bytes:
        2 * vectors * p.headDim * bytesPerElement(p.dtype) +
        p.batch * p.length * p.rotaryDim * bytesPerElement(p.tableDType),
    };
  },
};
