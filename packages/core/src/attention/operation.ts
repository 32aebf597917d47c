import type { Operation } from "../operation/operation.js";
import type { HostTensor } from "../tensor/tensor.js";
import { type BoundAttention, bindAttention } from "./bind.js";
import { describeProblem } from "./describe.js";
import type { AttentionInputs, AttentionOutputs } from "./inputs.js";
import { attentionOperands } from "./operands.js";
import type { AttentionProblem } from "./problem.js";
import { evaluateReference } from "./reference.js";
import { workOf } from "./work.js";

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
