import type { OperandSpec, Operation } from "../operation/operation.js";
import { statisticsDType } from "../tensor/dtype.js";
import type { HostTensor } from "../tensor/tensor.js";
import { type BoundAttention, bindAttention } from "./bind.js";
import { describeProblem } from "./describe.js";
import type { AttentionInputs, AttentionOutputs } from "./inputs.js";
import type { AttentionProblem } from "./problem.js";
import { evaluateReference } from "./reference.js";
import { workOf } from "./work.js";

/** Every tensor of a call of attention, inputs first; see {@link AttentionInputs} for their meaning. */
export function attentionOperands(p: AttentionProblem): readonly OperandSpec[] {
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

/** Scaled dot-product attention as an operation; its semantics are those of {@link AttentionInputs}. */
export const attention: Operation<
  AttentionInputs,
  AttentionProblem,
  AttentionOutputs,
  BoundAttention
> = {
  name: "attention",
  describe: describeProblem,
  bind: bindAttention,
  operands: attentionOperands,
  reference: (bound) => evaluateReference(bound.problem, bound as BoundAttention<HostTensor>),
  work: (bound) => workOf(bound.problem, bound),
};
