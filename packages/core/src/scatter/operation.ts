import type { OperandSpec, Operation } from "../operation/operation.js";
import { guarded } from "../options.js";
import { bytesPerElement } from "../tensor/dtype.js";
import type { HostTensor } from "../tensor/tensor.js";
import { type BoundScatter, bindScatter } from "./bind.js";
import { describeScatter } from "./describe.js";
import type { ScatterInputs, ScatterOutputs } from "./inputs.js";
import type { ScatterProblem } from "./problem.js";
import { referenceScatter } from "./reference.js";

/** Operands by problem: a run that writes one row asks for them as often as one that writes many. */
const operandsOf = new WeakMap<ScatterProblem, readonly OperandSpec[]>();

/** Every tensor of a call: the target and its scales, which are written in place, then the source. */
function scatterOperands(problem: ScatterProblem): readonly OperandSpec[] {
  let operands = operandsOf.get(problem);
  if (operands === undefined) {
    operands = makeOperands(problem);
    operandsOf.set(problem, operands);
  }
  return operands;
}

function makeOperands(p: ScatterProblem): readonly OperandSpec[] {
  const places = [p.entries, p.heads, p.rows];
  return [
    { name: "target", shape: [...places, p.headDim], dtype: p.targetDType, access: "update" },
    ...(p.targetDType === "int8"
      ? ([{ name: "scales", shape: places, dtype: "float32", access: "update" }] as const)
      : []),
    {
      name: "source",
      shape: [p.batch, p.heads, p.count, p.headDim],
      dtype: p.sourceDType,
      access: "read",
    },
  ];
}

/** Writing rows into a cache as an operation; its semantics are those of {@link ScatterInputs}. */
export const scatter: Operation<ScatterInputs, ScatterProblem, ScatterOutputs, BoundScatter> = {
  name: "scatter",
  describe: guarded("inputs", describeScatter),
  bind: guarded("inputs", bindScatter),
  operands: scatterOperands,
  reference: (bound) => referenceScatter(bound as BoundScatter<HostTensor>),
  work: ({ problem: p, slots }) => {
    const rows = p.heads * slots.reduce((count, slot) => count + (slot === -1 ? 0 : 1), 0);
    const quantised = p.targetDType === "int8";
    return {
      // The largest magnitude and a division, for each element that is quantised.
      flops: quantised ? 2 * rows * p.headDim : 0,
      bytes:
        rows * p.headDim * (bytesPerElement(p.sourceDType) + bytesPerElement(p.targetDType)) +
        (quantised ? 4 * rows : 0),
    };
  },
};
