import type { DType } from "../tensor/dtype.js";
import { elementCount } from "../tensor/layout.js";
import type { HostTensor } from "../tensor/tensor.js";
import { cast } from "../tensor/values.js";
import { type Implementation, implement } from "./define-backend.js";
import { type AnyOperation, type OperandSpec, outputsOf } from "./operation.js";
import type { Problem } from "./problem.js";

/**
 * The float64 reference of any operation as kernels: every problem, slowly, on host tensors. Outputs
 * are rounded once to the dtypes that every backend returns.
 */
export function referenceKernels(operation: AnyOperation): Implementation<unknown> {
  return implement(operation, {
    plan: (problem: Problem) => {
      const operands = operation.operands(problem);
      return {
        description: {
          kernel: `${operation.name}-reference`,
          tiles: {},
          workspaceBytes: 8 * operands.reduce((sum, { shape }) => sum + elementCount(shape), 0),
          dispatches: 1,
        },
        run: (bound) => roundOutputs(operands, operation.reference(bound)),
      };
    },
  });
}

/** The outputs of a reference, each rounded once to the dtype that its operand has. */
export function roundOutputs<Outputs extends object>(
  operands: readonly OperandSpec[],
  outputs: Outputs,
): Outputs {
  const exact = outputs as Readonly<Record<string, HostTensor>>;
  const rounded: Record<string, HostTensor> = {};
  for (const { name, dtype } of outputsOf(operands)) {
    rounded[name] = cast(exact[name] as HostTensor, dtype as DType);
  }
  return rounded as Outputs;
}
