import { checkFloat } from "../attention/validation/sizes.js";
import { describeValue, InvalidInputError } from "../errors.js";
import { ProblemTable } from "../operation/problem-table.js";
import { checkNames } from "../options.js";
import type { FloatDType } from "../tensor/dtype.js";
import { readTensor } from "../tensor/host-tensor.js";
import type { RmsNormInputs } from "./inputs.js";
import { type RmsNormProblem, rmsNormKey } from "./problem.js";

const inputNames: ReadonlySet<string> = new Set(["input", "weight", "epsilon"]);
const floats: readonly FloatDType[] = ["float64", "float32", "float16"];
const mostAxes = 4;
const problems = new ProblemTable<RmsNormProblem>(mostAxes + 2);

/** A mean square of float32 to which it is added stays finite and is not 0. */
const epsilons = { least: 1e-37, most: 1e37, usual: 1e-6 } as const;

/**
 * Validates a call of root mean square normalisation and derives its canonical problem.
 *
 * @throws InvalidInputError naming the argument at fault
 * @throws DisposedError naming a device tensor that was disposed
 */
export function describeRmsNorm(inputs: RmsNormInputs): RmsNormProblem {
  checkNames("inputs", inputs, inputNames);
  const input = readTensor("input", inputs.input);
  const weight = readTensor("weight", inputs.weight);
  const dtype = checkFloat("input", input);
  const { shape } = input;
  const rank = shape.length;
  if (rank < 1 || rank > mostAxes) {
    throw new InvalidInputError("input", "a shape of 1 to 4 axes", `[${shape.join(", ")}]`);
  }
  const size = shape[rank - 1] as number;
  if (weight.dtype !== dtype) {
    throw new InvalidInputError("weight", `the input's dtype ${dtype}`, weight.dtype);
  }
  if (weight.shape.length !== 1 || weight.shape[0] !== size) {
    const expected = `shape [size] = [${size}]`;
    throw new InvalidInputError("weight", expected, `[${weight.shape.join(", ")}]`);
  }
  readEpsilon(inputs.epsilon);
  const { signature } = problems;
  for (let axis = 0; axis < mostAxes; axis++) signature[axis] = shape[axis] ?? -1;
  signature[mostAxes] = rank;
  signature[mostAxes + 1] = floats.indexOf(dtype);
  return problems.find(() => {
    const own = Object.freeze([...shape]);
    const rows = own.slice(0, -1).reduce((product, n) => product * n, 1);
    const problem = { shape: own, rows, size, dtype };
    return Object.freeze({ operation: "rmsNorm", key: rmsNormKey(problem), ...problem });
  });
}

/** @throws InvalidInputError */
export function readEpsilon(epsilon: unknown = epsilons.usual): number {
  const { least, most } = epsilons;
  if (typeof epsilon !== "number" || !(epsilon >= least && epsilon <= most)) {
    const expected = `a number from ${least} to ${most}`;
    throw new InvalidInputError("epsilon", expected, describeValue(epsilon));
  }
  return epsilon;
}
