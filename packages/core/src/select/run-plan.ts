import { InvalidInputError } from "../errors.js";
import type { Plan } from "../operation/backend.js";
import type { AnyOperation, Bound } from "../operation/operation.js";
import { isDeviceTensor } from "../tensor/tensor.js";

/** Runs a plan on a bound call, also one that was written without `defineBackend`. */
export function runPlan(plan: Plan, bound: Bound): Promise<object> {
  const outputs = plan.runBound ? plan.runBound(bound) : plan.run(bound.inputs);
  return outputs as Promise<object>;
}

/**
 * The backend whose memory a call's tensors are in; `null` if all are host tensors.
 *
 * @throws InvalidInputError naming the first tensor that is in another backend's memory
 */
export function ownerOf(operation: AnyOperation, bound: Bound): string | null {
  const { reads } = bound;
  let backend: string | null = null;
  for (let i = 0; i < reads.length; i++) {
    const t = reads[i];
    if (!isDeviceTensor(t)) continue;
    backend ??= t.backend;
    if (t.backend !== backend) {
      throw new InvalidInputError(
        operation.operands(bound.problem)[i]?.name ?? `input ${i}`,
        `a host tensor or one of backend ${backend}, as the other inputs`,
        `a tensor of backend ${t.backend}`,
      );
    }
  }
  return backend;
}
