import type { BoundInputs } from "../attention/bind.js";
import type { AttentionInputs, AttentionOutputs } from "../attention/inputs.js";
import { attention } from "../attention/operation.js";
import type { AttentionProblem } from "../attention/problem.js";
import type { SupportReason } from "../errors.js";
import type { HostTensor } from "../tensor/tensor.js";
import type { BackendInfo, PlanDescription, Provider } from "./backend.js";
import { defineBackend, implement } from "./define-backend.js";

/** A backend that computes attention on host tensors, without what all of those have in common. */
export interface HostBackend {
  readonly info: BackendInfo;
  /** Why it does not compute a problem; empty where it does. Left out, it computes every problem. */
  readonly refusals?: (problem: AttentionProblem) => readonly SupportReason[];
  /** Called for problems that are not refused. */
  readonly plan: (problem: AttentionProblem) => HostPlan;
}

/** A problem made ready to run on host tensors. It holds nothing that has to be released by hand. */
export interface HostPlan {
  readonly description: PlanDescription;
  /**
   * Computes. May be called again before an earlier call is done.
   *
   * @param bound the call with everything optional resolved
   * @param inputs the call in the caller's terms
   */
  run(
    bound: BoundInputs,
    inputs: AttentionInputs<HostTensor>,
  ): AttentionOutputs<HostTensor> | Promise<AttentionOutputs<HostTensor>>;
}

/**
 * A provider for a backend that computes attention alone, on host tensors.
 *
 * @param load may reject with a `BackendUnavailableError`
 */
export function hostProvider(
  name: string,
  load: () => HostBackend | Promise<HostBackend>,
): Provider {
  return defineBackend<HostBackend>({
    name,
    load,
    info: ({ info }) => info,
    operations: {
      attention: implement(attention, {
        decide: (problem: AttentionProblem, { refusals }: HostBackend) => {
          const reasons = refusals?.(problem) ?? [];
          return reasons.length > 0 ? { reasons } : { decision: undefined };
        },
        plan: (problem, _decision, { plan }) => {
          const made = plan(problem);
          return {
            description: made.description,
            run: (bound) =>
              made.run(bound as BoundInputs, bound.inputs as AttentionInputs<HostTensor>),
          };
        },
      }),
    },
  });
}
