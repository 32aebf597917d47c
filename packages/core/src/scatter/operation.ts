import type { Operation } from "../operation/operation.js";
import { guarded } from "../options.js";
import { bytesPerElement } from "../tensor/dtype.js";
import type { HostTensor } from "../tensor/tensor.js";
import { type BoundScatter, bindScatter } from "./bind.js";
import { describeScatter } from "./describe.js";
import type { ScatterInputs, ScatterOutputs } from "./inputs.js";
import { type ScatterProblem, scatterOperands } from "./problem.js";
import { referenceScatter } from "./reference.js";

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
