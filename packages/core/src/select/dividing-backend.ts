import { divisions, partProblems } from "../attention/division/divide.js";
import { type Division, divisionAxes, obstacle } from "../attention/division/parts.js";
import { attention } from "../attention/operation.js";
import type { AttentionProblem } from "../attention/problem.js";
import { OutOfMemoryError, type SupportReason, UnsupportedError } from "../errors.js";
import type { Backend, BackendInfo, Plan, PlanOptions, Support } from "../operation/backend.js";
import { isProblem, type Problem } from "../operation/problem.js";
import { isList } from "../options.js";
import type { DeviceMemory } from "../tensor/device.js";
import { DividedPlan } from "./divided-plan.js";

/** Codes of refusals that a smaller problem may not meet. */
const ofSize: ReadonlySet<string> = new Set(["memory", "too-large", "size"]);

/**
 * A backend that computes attention in parts where the whole is too large for it: by batch entries, heads, query
 * rows, or ranges of keys whose results are merged. Everything else is the backend's own.
 */
export class DividingBackend implements Backend {
  readonly #backend: Backend;
  readonly #maxWorkspaceBytes: number;
  /** The division of problems that were asked about; null for none. */
  readonly #divisions = new WeakMap<Problem, Division | null>();

  /** @param maxWorkspaceBytes bytes that a run may take beside inputs and outputs, as its plan says */
  constructor(backend: Backend, maxWorkspaceBytes: number = Number.POSITIVE_INFINITY) {
    this.#backend = backend;
    this.#maxWorkspaceBytes = maxWorkspaceBytes;
  }

  get name(): string {
    return this.#backend.name;
  }

  get info(): BackendInfo {
    return this.#backend.info;
  }

  get memory(): DeviceMemory | undefined {
    return this.#backend.memory;
  }

  supports(problem: Problem): Support {
    const support = this.#backend.supports(problem);
    if (support?.ok !== false || !isProblem(problem, attention.name)) return support;
    const { reasons } = support;
    if (!isOfSize(reasons)) return support;
    if (this.#division(problem as AttentionProblem) !== null) return { ok: true };
    return { ok: false, reasons: [...reasons, indivisible(problem as AttentionProblem)] };
  }

  async plan<Inputs, Outputs>(
    problem: Problem<Inputs, Outputs>,
    options?: PlanOptions,
  ): Promise<Plan<Inputs, Outputs>> {
    if (!isProblem(problem, attention.name)) return this.#backend.plan(problem, options);
    const whole = problem as unknown as AttentionProblem;
    const support = this.#backend.supports(whole);
    if (support?.ok === false && isOfSize(support.reasons)) {
      const { reasons } = support;
      const division = this.#division(whole);
      if (division !== null) return this.#inParts(whole, division, messageOf(reasons)) as never;
      const all = [...reasons, indivisible(whole)];
      throw new UnsupportedError([{ backend: this.name, reasons: all }]);
    }
    const plan = await this.#backend.plan(problem, options);
    if (this.#maxWorkspaceBytes === Number.POSITIVE_INFINITY) return plan;
    const { workspaceBytes } = plan.description;
    if (workspaceBytes <= this.#maxWorkspaceBytes) return plan;
    plan.dispose();
    const needs = `it needs ${workspaceBytes} bytes beside inputs and outputs, and maxWorkspaceBytes is ${this.#maxWorkspaceBytes}`;
    return this.#withLessWorkspace(whole, needs) as never;
  }

  dispose(): void {
    this.#backend.dispose();
  }

  /** The first division whose parts the backend computes. */
  #division(problem: AttentionProblem): Division | null {
    let division = this.#divisions.get(problem);
    if (division === undefined) {
      division = null;
      for (const candidate of divisions(problem)) {
        if (!this.#supportsParts(problem, candidate)) continue;
        division = candidate;
        break;
      }
      this.#divisions.set(problem, division);
    }
    return division;
  }

  #supportsParts(problem: AttentionProblem, division: Division): boolean {
    return partProblems(problem, division).every((part) => this.#backend.supports(part).ok);
  }

  /** @throws OutOfMemoryError (rejects) if no division needs as little as is allowed */
  async #withLessWorkspace(problem: AttentionProblem, needs: string): Promise<Plan> {
    for (const division of divisions(problem)) {
      if (!this.#supportsParts(problem, division)) continue;
      const plan = await this.#inParts(problem, division, needs);
      if (plan.description.workspaceBytes <= this.#maxWorkspaceBytes) return plan;
      plan.dispose();
    }
    throw new OutOfMemoryError(this.name, `${needs}; no division of the call needs less`);
  }

  async #inParts(problem: AttentionProblem, division: Division, why: string): Promise<DividedPlan> {
    const plans = new Map<string, Plan>();
    try {
      for (const part of partProblems(problem, division)) {
        plans.set(part.key, await this.#backend.plan(part as Problem));
      }
    } catch (thrown) {
      for (const plan of plans.values()) plan.dispose();
      throw thrown;
    }
    return new DividedPlan(problem, division, plans, why, this.#backend.memory);
  }
}

function isOfSize(reasons: readonly (SupportReason | undefined)[]): boolean {
  return isList(reasons) && reasons.length > 0 && reasons.every((r) => ofSize.has(r?.code ?? ""));
}

function indivisible(problem: AttentionProblem): SupportReason {
  const obstacles = divisionAxes.flatMap((axis) => {
    const reason = obstacle(problem, axis);
    return reason === null ? [] : [`not by ${axis}: ${reason}`];
  });
  const why = obstacles.length === 0 ? "" : ` (${obstacles.join("; ")})`;
  return { code: "indivisible", message: `no division of the call is small enough${why}` };
}

function messageOf(reasons: readonly SupportReason[]): string {
  return reasons.map(({ message }) => message).join("; ");
}
