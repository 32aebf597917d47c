import { knownOperands } from "../operation/known-operands.js";
import type { OperandSpec } from "../operation/operation.js";
import { statisticsDType } from "../tensor/dtype.js";
import type { AttentionProblem } from "./problem.js";

/** Every tensor of a call of attention, inputs first; see `AttentionInputs` for their meaning. */
export const attentionOperands: (problem: AttentionProblem) => readonly OperandSpec[] =
  knownOperands(makeOperands);

function makeOperands(p: AttentionProblem): readonly OperandSpec[] {
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim, dtype } = p;
  const { kvDtype, pages } = p;
  const stored = pages ? [pages.count, kvHeads, pages.size] : [batch, kvHeads, keyLength];
  const scaled = kvDtype === "int8";
  const rows = [batch, queryHeads, queryLength];
  const read = (name: string, shape: readonly number[], type = dtype as OperandSpec["dtype"]) =>
    ({ name, shape, dtype: type, access: "read" }) as const;
  const write = (name: string, shape: readonly number[], type = dtype as OperandSpec["dtype"]) =>
    ({ name, shape, dtype: type, access: "write" }) as const;
  return [
    read("query", [...rows, headDim]),
    read("key", [...stored, headDim], kvDtype),
    read("value", [...stored, valueDim], kvDtype),
    ...(scaled ? [read("keyScales", stored, "float32")] : []),
    ...(scaled ? [read("valueScales", stored, "float32")] : []),
    ...(p.mask ? [read("mask", p.mask.shape, "bool")] : []),
    ...(p.bias ? [read("bias", p.bias.shape, p.bias.dtype)] : []),
    write("output", [...rows, valueDim]),
    ...(p.returns.logSumExp ? [write("logSumExp", rows, statisticsDType(dtype))] : []),
    ...(p.returns.weights ? [write("weights", [...rows, keyLength])] : []),
    ...(p.returns.scores ? [write("scores", [...rows, keyLength])] : []),
  ];
}
