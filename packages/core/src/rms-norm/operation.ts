import type { Bound, Operation } from "../operation/operation.js";
import { checkProblem } from "../operation/problem.js";
import { guarded } from "../options.js";
import { bytesPerElement } from "../tensor/dtype.js";
import { takeSame } from "../tensor/host-tensor.js";
import { type HostTensor, type Tensor, zeros } from "../tensor/tensor.js";
import { toFloat64 } from "../tensor/values.js";
import { describeRmsNorm, readEpsilon } from "./describe.js";
import type { RmsNormInputs, RmsNormOutputs } from "./inputs.js";
import type { RmsNormProblem } from "./problem.js";

/** A call of root mean square normalisation whose tensors are known to be those of its problem. */
export interface BoundRmsNorm<T extends Tensor = Tensor>
  extends Bound<RmsNormProblem, RmsNormInputs> {
  readonly input: T;
  readonly weight: T;
  readonly epsilon: number;
}

function bindRmsNorm(problem: RmsNormProblem, inputs: RmsNormInputs): BoundRmsNorm {
  checkProblem(problem, "rmsNorm");
  const { shape, size, dtype } = problem;
  const input = takeSame("input", inputs.input, shape, dtype);
  const weight = takeSame("weight", inputs.weight, [size], dtype);
  const epsilon = readEpsilon(inputs.epsilon);
  return {
    problem,
    input,
    weight,
    epsilon,
    reads: [input, weight],
    inputs: { input, weight, epsilon },
  };
}

/** The normalisation in float64, a vector at a time: the oracle for backends. */
function referenceRmsNorm(bound: BoundRmsNorm<HostTensor>): RmsNormOutputs<HostTensor> {
  const { shape, rows, size } = bound.problem;
  const [input, weight] = [toFloat64(bound.input), toFloat64(bound.weight)];
  const output = zeros("float64", shape);
  for (let row = 0, at = 0; row < rows; row++, at += size) {
    let squares = 0;
    for (let i = 0; i < size; i++) squares += (input[at + i] as number) ** 2;
    const root = Math.sqrt(squares / size + bound.epsilon);
    for (let i = 0; i < size; i++) {
      output.data[at + i] = ((input[at + i] as number) / root) * (weight[i] as number);
    }
  }
  return { output };
}

/** Root mean square normalisation as an operation; its semantics are those of {@link RmsNormInputs}. */
export const rmsNorm: Operation<RmsNormInputs, RmsNormProblem, RmsNormOutputs, BoundRmsNorm> = {
  name: "rmsNorm",
  describe: guarded("inputs", describeRmsNorm),
  bind: guarded("inputs", bindRmsNorm),
  operands: ({ shape, size, dtype }) => [
    { name: "input", shape, dtype, access: "read" },
    { name: "weight", shape: [size], dtype, access: "read" },
    { name: "output", shape, dtype, access: "write" },
  ],
  reference: (bound) => referenceRmsNorm(bound as BoundRmsNorm<HostTensor>),
  work: ({ problem: { rows, size, dtype } }) => ({
    // A square, its sum, and two products for each element.
    flops: 4 * rows * size,
    bytes: bytesPerElement(dtype) * (2 * rows + 1) * size,
  }),
};
