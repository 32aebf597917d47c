import { type BoundInputs, bindInputs } from "../attention/bind.js";
import type { AttentionInputs, AttentionOutputs } from "../attention/inputs.js";
import type { AttentionProblem } from "../attention/problem.js";
import { DisposedError, type SupportReason, UnsupportedError } from "../errors.js";
import type { HostTensor } from "../tensor/tensor.js";
import type {
  AttentionBackend,
  AttentionPlan,
  AttentionProvider,
  BackendInfo,
  PlanDescription,
} from "./backend.js";

/** A backend that computes on host tensors, without what all of those have in common. */
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
   * @param inputs the call as it came
   */
  run(
    bound: BoundInputs,
    inputs: AttentionInputs<HostTensor>,
  ): AttentionOutputs<HostTensor> | Promise<AttentionOutputs<HostTensor>>;
}

/**
 * A provider for a backend without memory of its own. It refuses in `plan` what `supports` refuses,
 * takes no device tensors, resolves the optional inputs, and does nothing once it is disposed. A
 * backend with memory or devices of its own implements `AttentionProvider` itself.
 *
 * @param load may reject with a `BackendUnavailableError`
 */
export function hostProvider(
  name: string,
  load: () => HostBackend | Promise<HostBackend>,
): AttentionProvider {
  return { name, load: async () => backendOf(name, await load()) };
}

function backendOf(
  name: string,
  { info, refusals = () => [], plan }: HostBackend,
): AttentionBackend {
  let disposed = false;
  const checkAlive = (): void => {
    if (disposed) throw new DisposedError("backend");
  };
  return {
    name,
    info,
    supports: (problem) => {
      const reasons = refusals(problem);
      return reasons.length === 0 ? { ok: true } : { ok: false, reasons };
    },
    plan: (problem) => {
      checkAlive();
      const reasons = refusals(problem);
      if (reasons.length > 0) throw new UnsupportedError([{ backend: name, reasons }]);
      return planOf(problem, plan(problem), checkAlive);
    },
    dispose: () => {
      disposed = true;
    },
  };
}

function planOf(
  problem: AttentionProblem,
  plan: HostPlan,
  checkBackend: () => void,
): AttentionPlan {
  let alive: HostPlan | null = plan;
  return {
    description: plan.description,
    run: async (inputs) => {
      if (alive === null) throw new DisposedError("plan");
      checkBackend();
      // `bindInputs` rejects device tensors, so that none is left after it.
      const bound = bindInputs(problem, inputs);
      return alive.run(bound, inputs as AttentionInputs<HostTensor>);
    },
    dispose: () => {
      alive = null;
    },
  };
}
