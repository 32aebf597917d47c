import { bytesPerElement, type MergeProblem, statisticsDType, type Verdict } from "@heed/core";
import { type ProviderTraits, refusesFloat64 } from "../runtime/traits.js";

/** Matrices of the outputs' shape that live at once: the sum so far, and a part's product. */
const matricesAlive = 2;

/** Whether a provider computes a problem: its element types, and tensors of its sizes. Pure. */
export function decideMerge(problem: MergeProblem, traits: ProviderTraits): Verdict<undefined> {
  const { provider, largestTensor, memory, maxWorkspaceBytes } = traits;
  const { dtype, logSumExpDType, parts } = problem;
  const reasons = refusesFloat64(traits, dtype, logSumExpDType);
  const matrix = matrixBytes(problem);
  if (largestTensor !== null && matrix > largestTensor) {
    reasons.push({
      code: "too-large",
      message: `an output is one tensor of ${matrix} bytes, and provider ${provider} has ${largestTensor}`,
      hint: "merge fewer rows at a time, or use another backend",
    });
  }
  const workspace = mergeWorkspaceBytes(problem);
  const needed = (parts + 1) * matrix + workspace;
  if (memory !== null && needed > memory) {
    reasons.push({
      code: "too-large",
      message: `it needs some ${needed} bytes, and provider ${provider} has ${memory}`,
      hint: "merge fewer rows or fewer parts at a time, or use another backend",
    });
  } else if (workspace > maxWorkspaceBytes) {
    reasons.push({
      code: "memory",
      message: `it needs some ${workspace} bytes beside inputs and outputs, and maxWorkspaceBytes is ${maxWorkspaceBytes}`,
      hint: "allow more with onnx({ maxWorkspaceBytes }), or merge fewer rows at a time",
    });
  }
  return reasons.length === 0 ? { decision: undefined } : { reasons };
}

/** Bytes of one tensor of the outputs' shape, in the type of the arithmetic. */
function matrixBytes({ rows, valueDim, dtype }: MergeProblem): number {
  return rows * valueDim * bytesPerElement(statisticsDType(dtype));
}

/** Bytes that a run needs beside inputs and outputs: an estimate, as onnxruntime plans its memory. */
export function mergeWorkspaceBytes(problem: MergeProblem): number {
  const { rows, parts, dtype } = problem;
  // float16 is widened: one matrix more.
  const matrices = dtype === "float16" ? matricesAlive + 1 : matricesAlive;
  // A predicate, an exponential and a weight for each part, and the statistics of the whole.
  const statistics = (3 * parts + 4) * rows * bytesPerElement(statisticsDType(dtype));
  return matrices * matrixBytes(problem) + statistics;
}
