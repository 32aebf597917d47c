import { describeValue, InvalidInputError } from "../errors.js";
import type { OperandSpec, Operation } from "../operation/operation.js";
import { checkProblem } from "../operation/problem.js";
import { ProblemTable } from "../operation/problem-table.js";
import { checkNames, guarded, isList } from "../options.js";
import {
  bytesPerElement,
  type FloatDType,
  isFloatDType,
  statisticsDType,
} from "../tensor/dtype.js";
import { checkTensor, takeSame } from "../tensor/host-tensor.js";
import { sameShape } from "../tensor/layout.js";
import type { HostTensor, Tensor } from "../tensor/tensor.js";
import type { MergeInputs, MergeOutputs } from "./inputs.js";
import type { BoundMerge, MergeProblem } from "./problem.js";
import { referenceMerge } from "./reference.js";

const names: ReadonlySet<string> = new Set(["parts"]);
/** A part may be the whole result of a call of attention: its other members are not read. */
const partNames: ReadonlySet<string> = new Set([
  "output",
  "logSumExp",
  "weights",
  "scores",
  "backend",
]);
const floats: readonly FloatDType[] = ["float64", "float32", "float16"];
/** Ranks beyond this one are not told apart by numbers; no attention has more. */
const mostAxes = 8;
const problems = new ProblemTable<MergeProblem>(4 + mostAxes);

/** @throws InvalidInputError naming the part at fault, DisposedError */
function describeMerge(inputs: MergeInputs): MergeProblem {
  checkNames("inputs", inputs, names);
  const { parts } = inputs;
  if (!isList(parts) || parts.length === 0) {
    throw new InvalidInputError("parts", "at least one partial result", describeValue(parts));
  }
  const [first] = parts as MergeInputs["parts"];
  for (let p = 0; p < parts.length; p++) checkPart(p, parts[p], first);
  const [{ output, logSumExp }] = parts as [{ output: Tensor; logSumExp: Tensor }];
  const shape = logSumExp.shape;
  const dtype = output.dtype as FloatDType;
  const { signature } = problems;
  signature.fill(-1);
  signature[0] = parts.length;
  signature[1] = floats.indexOf(dtype);
  signature[2] = floats.indexOf(logSumExp.dtype as FloatDType);
  signature[3] = output.shape.at(-1) as number;
  for (let axis = 0; axis < shape.length; axis++) signature[4 + axis] = shape[axis] as number;
  return problems.find(() =>
    Object.freeze({
      operation: "merge",
      key: `${dtype} ${logSumExp.dtype} parts:${parts.length} [${shape.join(",")}] d${output.shape.at(-1)}`,
      parts: parts.length,
      shape: Object.freeze([...shape]),
      rows: shape.reduce((count, size) => count * size, 1),
      valueDim: output.shape.at(-1) as number,
      dtype,
      logSumExpDType: logSumExp.dtype as FloatDType,
    }),
  );
}

function checkPart(p: number, part: unknown, first: { output: Tensor; logSumExp: Tensor }): void {
  checkNames(`parts[${p}]`, part, partNames);
  const { output, logSumExp } = part as { output: Tensor; logSumExp: Tensor };
  const wrong = (name: string, expected: string, actual: string): never => {
    throw new InvalidInputError(`parts[${p}].${name}`, expected, actual);
  };
  checkTensor(`parts[${p}].output`, output);
  checkTensor(`parts[${p}].logSumExp`, logSumExp);
  if (p === 0) {
    const { length } = output.shape;
    if (length < 1 || length > mostAxes + 1) {
      wrong("output", `from 1 to ${mostAxes + 1} axes`, `${length}`);
    }
  } else if (!sameShape(output.shape, first.output.shape)) {
    wrong("output", `the first part's shape ${show(first.output.shape)}`, show(output.shape));
  }
  if (p === 0 ? !isFloatDType(output.dtype) : output.dtype !== first.output.dtype) {
    const expected = p === 0 ? "dtype float64, float32 or float16" : `dtype ${first.output.dtype}`;
    wrong("output", expected, output.dtype);
  }
  if (p === 0 ? !isFloatDType(logSumExp.dtype) : logSumExp.dtype !== first.logSumExp.dtype) {
    const expected =
      p === 0 ? "dtype float64, float32 or float16" : `dtype ${first.logSumExp.dtype}`;
    wrong("logSumExp", expected, logSumExp.dtype);
  }
  const rows = output.shape.slice(0, -1);
  if (!sameShape(logSumExp.shape, rows)) {
    wrong(
      "logSumExp",
      `the output's shape without its last axis, ${show(rows)}`,
      show(logSumExp.shape),
    );
  }
}

function show(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

function bindMerge(problem: MergeProblem, { parts }: MergeInputs): BoundMerge {
  checkProblem(problem, "merge");
  const shape = [...problem.shape, problem.valueDim];
  const copies = Array.from({ length: problem.parts }, (_, p) => ({
    output: takeSame(`parts[${p}].output`, parts[p]?.output, shape, problem.dtype),
    logSumExp: takeSame(
      `parts[${p}].logSumExp`,
      parts[p]?.logSumExp,
      problem.shape,
      problem.logSumExpDType,
    ),
  }));
  return {
    problem,
    outputs: copies.map(({ output }) => output),
    logSumExps: copies.map(({ logSumExp }) => logSumExp),
    reads: copies.flatMap(({ output, logSumExp }) => [output, logSumExp]),
    inputs: { parts: copies },
  };
}

function mergeOperands(p: MergeProblem): readonly OperandSpec[] {
  const whole = [...p.shape, p.valueDim];
  const reads = Array.from({ length: p.parts }, (_, part): OperandSpec[] => [
    { name: `parts[${part}].output`, shape: whole, dtype: p.dtype, access: "read" },
    {
      name: `parts[${part}].logSumExp`,
      shape: p.shape,
      dtype: p.logSumExpDType,
      access: "read",
    },
  ]);
  return [
    ...reads.flat(),
    { name: "output", shape: whole, dtype: p.dtype, access: "write" },
    { name: "logSumExp", shape: p.shape, dtype: statisticsDType(p.dtype), access: "write" },
  ];
}

/** Merging of partial attention as an operation; its semantics are those of {@link MergeInputs}. */
export const merge: Operation<MergeInputs, MergeProblem, MergeOutputs, BoundMerge> = {
  name: "merge",
  describe: guarded("inputs", describeMerge),
  bind: guarded("inputs", bindMerge),
  operands: mergeOperands,
  reference: (bound) => referenceMerge(bound as BoundMerge<HostTensor>),
  work: ({ problem: p }) => ({
    flops: 2 * p.parts * p.rows * p.valueDim,
    bytes:
      (p.parts + 1) *
      p.rows *
      (p.valueDim * bytesPerElement(p.dtype) + bytesPerElement(p.logSumExpDType)),
  }),
};
