import type { Bound, OperandSpec, Operation } from "../operation/operation.js";
import { checkProblem } from "../operation/problem.js";
import { guarded } from "../options.js";
import { bytesPerElement } from "../tensor/dtype.js";
import { takeSame } from "../tensor/host-tensor.js";
import { type HostTensor, type Tensor, zeros } from "../tensor/tensor.js";
import { toFloat64 } from "../tensor/values.js";
import { describeProjection } from "./describe.js";
import type { ProjectionInputs, ProjectionOutputs } from "./inputs.js";
import type { ProjectionProblem } from "./problem.js";

/** A call of a projection whose tensors are known to be those of its problem. */
export interface BoundProjection<T extends Tensor = Tensor>
  extends Bound<ProjectionProblem, ProjectionInputs> {
  readonly input: T;
  readonly weight: T;
  readonly bias: T | undefined;
}

function bindProjection(problem: ProjectionProblem, inputs: ProjectionInputs): BoundProjection {
  checkProblem(problem, "projection");
  const { batch, length, inputSize, outputSize, dtype, hasBias } = problem;
  const input = takeSame("input", inputs.input, [batch, length, inputSize], dtype);
  const weight = takeSame("weight", inputs.weight, [outputSize, inputSize], dtype);
  const bias = hasBias ? takeSame("bias", inputs.bias, [outputSize], dtype) : undefined;
  return {
    problem,
    input,
    weight,
    bias,
    reads: bias ? [input, weight, bias] : [input, weight],
    inputs: { input, weight, ...(bias && { bias }) },
  };
}

/** The projection in float64, an element at a time: the oracle for backends. */
function referenceProjection(bound: BoundProjection<HostTensor>): ProjectionOutputs<HostTensor> {
  const { batch, length, inputSize, outputSize } = bound.problem;
  const [input, weight] = [toFloat64(bound.input), toFloat64(bound.weight)];
  const bias = bound.bias && toFloat64(bound.bias);
  const output = zeros("float64", [batch, length, outputSize]);
  for (let row = 0; row < batch * length; row++) {
    for (let o = 0; o < outputSize; o++) {
      let sum = 0;
      for (let i = 0; i < inputSize; i++) {
        sum += (input[row * inputSize + i] as number) * (weight[o * inputSize + i] as number);
      }
      output.data[row * outputSize + o] = bias ? sum + (bias[o] as number) : sum;
    }
  }
  return { output };
}

function projectionOperands(p: ProjectionProblem): readonly OperandSpec[] {
  const { dtype, batch, length, inputSize, outputSize } = p;
  return [
    { name: "input", shape: [batch, length, inputSize], dtype, access: "read" },
    { name: "weight", shape: [outputSize, inputSize], dtype, access: "read" },
    ...(p.hasBias ? ([{ name: "bias", shape: [outputSize], dtype, access: "read" }] as const) : []),
    { name: "output", shape: [batch, length, outputSize], dtype, access: "write" },
  ];
}

/** A linear layer as an operation; its semantics are those of {@link ProjectionInputs}. */
export const projection: Operation<
  ProjectionInputs,
  ProjectionProblem,
  ProjectionOutputs,
  BoundProjection
> = {
  name: "projection",
  describe: guarded("inputs", describeProjection),
  bind: guarded("inputs", bindProjection),
  operands: projectionOperands,
  reference: (bound) => referenceProjection(bound as BoundProjection<HostTensor>),
  work: ({ problem: p }) => {
    const rows = p.batch * p.length;
    return {
      flops: 2 * rows * p.inputSize * p.outputSize + (p.hasBias ? rows * p.outputSize : 0),
      bytes:
        bytesPerElement(p.dtype) *
        (rows * (p.inputSize + p.outputSize) + p.outputSize * (p.inputSize + (p.hasBias ? 1 : 0))),
    };
  },
};
