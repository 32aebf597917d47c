import { InvalidInputError } from "../errors.js";
import { roundOutputs } from "../operation/reference-kernels.js";
import { isDeviceTensor } from "../tensor/host-tensor.js";
import type { HostTensor } from "../tensor/tensor.js";
import type { PartialAttention } from "./inputs.js";
import { merge } from "./operation.js";
import type { BoundMerge } from "./problem.js";
import { referenceMerge } from "./reference.js";

/**
 * Merges partial attention on host tensors, at once and without a backend; the operation `merge` does
 * the same where the tensors are. See `MergeInputs` for the semantics.
 *
 * @param parts at least one; all of one shape and dtype
 * @returns the output in the parts' dtype, the log-sum-exp in float32, or float64 for float64 parts;
 *   computed in float64
 * @throws InvalidInputError naming the part at fault
 */
export function mergePartials(
  parts: readonly PartialAttention<HostTensor>[],
): PartialAttention<HostTensor> {
  const inputs = { parts };
  const problem = merge.describe(inputs);
  const bound = merge.bind(problem, inputs);
  const operands = merge.operands(problem);
  for (const [i, t] of bound.reads.entries()) {
    if (!isDeviceTensor(t)) continue;
    const argument = operands[i]?.name ?? "parts";
    throw new InvalidInputError(argument, "a host tensor", `a tensor of backend ${t.backend}`);
  }
  return roundOutputs(
    operands,
    referenceMerge(bound as BoundMerge<HostTensor>),
  ) as PartialAttention<HostTensor>;
}
