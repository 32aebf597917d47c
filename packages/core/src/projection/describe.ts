import { checkFloat } from "../attention/validation/sizes.js";
import { InvalidInputError } from "../errors.js";
import { ProblemTable } from "../operation/problem-table.js";
import { checkNames } from "../options.js";
import type { FloatDType } from "../tensor/dtype.js";
import { readTensor } from "../tensor/host-tensor.js";
import { maxElements } from "../tensor/layout.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ProjectionInputs } from "./inputs.js";
import { type ProjectionProblem, projectionKey } from "./problem.js";

const inputNames: ReadonlySet<string> = new Set(["input", "weight", "bias"]);
const floats: readonly FloatDType[] = ["float64", "float32", "float16"];
const problems = new ProblemTable<ProjectionProblem>(6);

/**
 * Validates a call of a projection and derives its canonical problem.
 *
 * @throws InvalidInputError naming the argument at fault
 * @throws DisposedError naming a device tensor that was disposed
 */
export function describeProjection(inputs: ProjectionInputs): ProjectionProblem {
  checkNames("inputs", inputs, inputNames);
  const input = readTensor("input", inputs.input);
  const weight = readTensor("weight", inputs.weight);
  const dtype = checkFloat("input", input);
  checkAxes("input", input, 3, "[batch, length, in]");
  checkAxes("weight", weight, 2, "[out, in]");
  checkSame("weight", weight, dtype);
  const [batch, length, inputSize] = input.shape as [number, number, number];
  const [outputSize] = weight.shape as [number, number];
  if (weight.shape[1] !== inputSize) {
    throw new InvalidInputError("weight", `shape [out, in] = [out, ${inputSize}]`, show(weight));
  }
  const hasBias = inputs.bias !== undefined;
  if (hasBias) {
    const bias = readTensor("bias", inputs.bias);
    checkSame("bias", bias, dtype);
    if (bias.shape.length !== 1 || bias.shape[0] !== outputSize) {
      throw new InvalidInputError("bias", `shape [out] = [${outputSize}]`, show(bias));
    }
  }
  if (batch * length * outputSize > maxElements) {
    throw new InvalidInputError(
      "weight",
      "an output of at most 2^31 − 1 elements",
      `one of ${batch * length * outputSize}`,
    );
  }
  const { signature } = problems;
  signature[0] = batch;
  signature[1] = length;
  signature[2] = inputSize;
  signature[3] = outputSize;
  signature[4] = floats.indexOf(dtype);
  signature[5] = hasBias ? 1 : 0;
  return problems.find(() => {
    const problem = { batch, length, inputSize, outputSize, dtype, hasBias };
    return Object.freeze({ operation: "projection", key: projectionKey(problem), ...problem });
  });
}

function checkAxes(argument: string, t: Tensor, axes: number, expected: string): void {
  if (t.shape.length === axes) return;
  throw new InvalidInputError(argument, `shape ${expected}`, show(t));
}

function checkSame(argument: string, t: Tensor, dtype: string): void {
  if (t.dtype === dtype) return;
  throw new InvalidInputError(argument, `the input's dtype ${dtype}`, t.dtype);
}

function show({ shape }: Tensor): string {
  return `[${shape.join(", ")}]`;
}
