import {
  type AttentionBackend,
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionPlan,
  type AttentionProblem,
  type BackendInfo,
  bindInputs,
  DisposedError,
  type PlanDescription,
  type Support,
} from "@heed/core";
import { forward } from "./forward.js";
import { describePlan, type JsPlan, planProblem } from "./plan.js";
import { makeWorkspace, type Workspace } from "./workspace.js";

/** Every problem, in plain JavaScript on the calling thread. Not for what another backend can do. */
export class JsBackend implements AttentionBackend {
  readonly name = "js";
  readonly info: BackendInfo = {
    runtime: "JavaScript",
    device: "CPU",
    features: [],
    threads: 1,
  };
  #disposed = false;

  supports(_problem: AttentionProblem): Support {
    return { ok: true };
  }

  plan(problem: AttentionProblem): AttentionPlan {
    this.checkAlive("backend");
    return new JsAttentionPlan(this, problem);
  }

  dispose(): void {
    this.#disposed = true;
  }

  checkAlive(argument: string): void {
    if (this.#disposed) throw new DisposedError(argument);
  }
}

class JsAttentionPlan implements AttentionPlan {
  readonly description: PlanDescription;
  readonly #backend: JsBackend;
  readonly #problem: AttentionProblem;
  readonly #plan: JsPlan;
  /** Made at the first run. A run does not yield, so runs that overlap never share it. */
  #workspace: Workspace | null = null;
  #disposed = false;

  constructor(backend: JsBackend, problem: AttentionProblem) {
    this.#backend = backend;
    this.#problem = problem;
    this.#plan = planProblem(problem);
    this.description = describePlan(problem, this.#plan);
  }

  async run(inputs: AttentionInputs): Promise<AttentionOutputs> {
    if (this.#disposed) throw new DisposedError("plan");
    this.#backend.checkAlive("backend");
    const bound = bindInputs(this.#problem, inputs);
    this.#workspace ??= makeWorkspace(this.#problem, this.#plan);
    return forward(this.#problem, bound, this.#plan, this.#workspace);
  }

  dispose(): void {
    this.#disposed = true;
    this.#workspace = null;
  }
}
