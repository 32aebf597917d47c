import type { DType } from "../tensor/dtype.js";
import { elementCount } from "../tensor/layout.js";
import type { HostTensor } from "../tensor/tensor.js";
import { cast } from "../tensor/values.js";
import { writeChanges } from "../tensor/write-changes.js";
import { type Implementation, implement } from "./define-backend.js";
import { type AnyOperation, type Bound, type OperandSpec, outputsOf } from "./operation.js";
import type { Problem } from "./problem.js";

/**
 * The float64 reference of any operation as kernels: every problem, slowly, on host tensors. Outputs
 * are rounded once to the dtypes that every backend returns; tensors that an operation updates are
 * written where they differ from its result, so that all other elements keep their bits.
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
        run: (bound) => {
          const outputs = roundOutputs(operands, operation.reference(bound));
          return { ...outputs, ...updateGiven(operands, outputs, bound) };
        },
      };
    },
  });
}

/** Writes the outputs of operands that are updated into the tensors given, which are returned. */
function updateGiven(
  operands: readonly OperandSpec[],
  outputs: Readonly<Record<string, HostTensor>>,
  { reads }: Bound,
): Record<string, HostTensor> {
  const updated: Record<string, HostTensor> = {};
  for (const [index, { name, access }] of operands.entries()) {
    if (access !== "update") continue;
    const given = reads[index] as HostTensor;
    writeChanges(given, outputs[name] as HostTensor);
    updated[name] = given;
  }
  return updated;
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
