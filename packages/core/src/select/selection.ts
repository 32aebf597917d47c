import { describeProblem } from "../attention/describe.js";
import type { AttentionInputs } from "../attention/inputs.js";
import { attention } from "../attention/operation.js";
import { type AttentionProblem, lengthClassKey } from "../attention/problem.js";
import {
  type BackendReasons,
  DisposedError,
  describeValue,
  formatReasons,
  InvalidInputError,
  type SupportReason,
  UnsupportedError,
} from "../errors.js";
import type { AnyOperation, Bound, InputsOf, OutputsOf } from "../operation/operation.js";
import type { Problem } from "../operation/problem.js";
import type { DeviceMemory } from "../tensor/device.js";
import type { DType } from "../tensor/dtype.js";
import type { DeviceTensor, HostTensor } from "../tensor/tensor.js";
import type {
  Attention,
  AttentionResult,
  BackendStatus,
  Explanation,
  MemoryOptions,
} from "./create-attention.js";
import { fastestOf } from "./fastest.js";
import { PlanCache } from "./plan-cache.js";
import { type BackendRecommendation, rankBackends } from "./recommendation.js";
import { ownerOf, runPlan } from "./run-plan.js";
import { isReady, type ReadySlot, type Slot, statusOf } from "./slot.js";

export interface SelectionOptions {
  readonly select: "order" | "fastest" | BackendRecommendation;
  readonly fallback: "warn" | "error" | "silent";
  readonly planCacheSize: number;
}

/** Everything about a problem that does not change from call to call. */
interface Route {
  /** Every slot, in the order of preference for the problem. */
  readonly order: readonly Slot[];
  /** Those that may run the problem, in order of preference. */
  readonly candidates: readonly ReadySlot[];
  /** Those that may not, in order of preference, with their reasons. */
  readonly refusals: ReadonlyMap<Slot, readonly SupportReason[]>;
  /** The plan cache's key for the first candidate. */
  readonly planKey: string;
  /** Whether a fallback to the first candidate has been reported. */
  reported: boolean;
}

/** Routes kept; beyond that they are worked out anew. */
const routesKept = 1024;

/** Measurements kept for `select: "fastest"`; the oldest goes first. */
const measurementsKept = 1024;

/** What `createAttention` returns: chooses a backend for each call, keeps plans, and runs them. */
export class BackendSelection implements Attention {
  readonly backends: readonly BackendStatus[];
  readonly #slots: readonly Slot[];
  readonly #options: SelectionOptions;
  readonly #plans: PlanCache;
  /** By the backend whose memory the inputs are in, or null, and by problem: core interns problems. */
  readonly #routes = new Map<string | null, Map<Problem, Route>>();
  /** The fastest backend by class of problem, and while it is being measured, the promise of it. */
  readonly #fastest = new Map<string, ReadySlot | Promise<ReadySlot>>();
  readonly #warned = new Set<string>();
  /** Calls under way. */
  #running = 0;
  #onIdle: (() => void) | null = null;
  #disposed: Promise<void> | null = null;

  constructor(slots: readonly Slot[], options: SelectionOptions) {
    this.#slots = slots;
    this.#options = options;
    this.#plans = new PlanCache(options.planCacheSize);
    this.backends = Object.freeze(slots.map(statusOf));
  }

  run(inputs: AttentionInputs<HostTensor>): Promise<AttentionResult<HostTensor>>;
  run(inputs: AttentionInputs): Promise<AttentionResult>;
  run(inputs: AttentionInputs): Promise<AttentionResult> {
    return this.apply(attention, inputs);
  }

  /** Not async: the call is validated and bound, and its arrays copied, before it returns. */
  apply<O extends AnyOperation>(
    operation: O,
    inputs: InputsOf<O>,
  ): Promise<OutputsOf<O> & { readonly backend: string }> {
    try {
      this.#checkAlive();
      const bound = operation.bind(operation.describe(inputs), inputs) as Bound;
      const result = this.#execute(bound, ownerOf(operation, bound));
      return result as Promise<OutputsOf<O> & { readonly backend: string }>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  explain(subject: Problem | AttentionInputs): Explanation {
    this.#checkAlive();
    const inputs = "query" in subject ? subject : null;
    const problem = inputs ? describeProblem(inputs) : (subject as Problem);
    const device = inputs
      ? ownerOf(attention, attention.bind(problem as AttentionProblem, inputs))
      : null;
    const { order, candidates, refusals } = this.#route(problem, device);
    const chosen = this.#chosenSoFar(problem, candidates);
    const others = order
      .filter((slot) => slot !== chosen)
      .map((slot) => ({
        backend: slot.name,
        reasons: refusals.get(slot) ?? [this.#whyNotChosen(chosen)],
      }));
    return { backend: chosen?.name ?? null, others };
  }

  async upload(tensor: HostTensor, options?: MemoryOptions): Promise<DeviceTensor> {
    return this.#memory(options).upload(tensor);
  }

  allocate(dtype: DType, shape: readonly number[], options?: MemoryOptions): DeviceTensor {
    return this.#memory(options).allocate(dtype, shape);
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#release();
    return this.#disposed;
  }

  async #release(): Promise<void> {
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#plans.clear();
    for (const { backend } of this.#slots) backend?.dispose();
  }

  #checkAlive(): void {
    if (this.#disposed) throw new DisposedError("attention");
  }

  #memory(options: MemoryOptions = {}): DeviceMemory {
    this.#checkAlive();
    const { backend } = options;
    const asked = this.#slots.filter(({ name }) => backend === undefined || name === backend);
    if (asked.length === 0) {
      const names = this.#slots.map(({ name }) => JSON.stringify(name));
      throw new InvalidInputError("backend", `one of ${names.join(", ")}`, describeValue(backend));
    }
    for (const slot of asked) if (slot.backend?.memory) return slot.backend.memory;
    const message = "has no memory of its own: it computes on host tensors";
    throw new UnsupportedError(
      asked.map((slot) => ({
        backend: slot.name,
        reasons: isReady(slot) ? [{ code: "memory", message }] : slot.reasons,
      })),
    );
  }

  async #execute(bound: Bound, device: string | null): Promise<object> {
    const { problem } = bound;
    const route = this.#route(problem, device);
    const [preferred] = route.candidates;
    if (preferred === undefined) throw new UnsupportedError(reasonsOf(route));
    if (!route.reported) this.#reportFallback(preferred, route);
    this.#running += 1;
    try {
      const slot = this.#measures(route.candidates)
        ? await this.#findFastest(bound, route.candidates)
        : preferred;
      const planKey = slot === preferred ? route.planKey : this.#planKey(slot, problem);
      const entry = this.#plans.take(planKey, () => slot.backend.plan(problem));
      try {
        const outputs = await runPlan(entry.ready ?? (await entry.made), bound);
        // Spreading into a literal with one more member takes 1.2 µs in Node 20; this takes none of it.
        return Object.assign({ backend: slot.name }, outputs);
      } finally {
        this.#plans.release(entry);
      }
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#onIdle?.();
    }
  }

  /** Two backends may share a name (two GPUs): the slot's place tells them apart. */
  #planKey(slot: ReadySlot, problem: Problem): string {
    return `${this.#slots.indexOf(slot)} ${problem.operation} ${problem.key}`;
  }

  /** @param device the backend whose memory the inputs are in, if any: no other may run them */
  #route(problem: Problem, device: string | null): Route {
    let routes = this.#routes.get(device);
    const known = routes?.get(problem);
    if (known) return known;
    const order = this.#orderFor(problem);
    const candidates: ReadySlot[] = [];
    const refusals = new Map<Slot, readonly SupportReason[]>();
    for (const slot of order) {
      if (!isReady(slot)) {
        refusals.set(slot, slot.reasons);
      } else if (device !== null && slot.name !== device) {
        const message = `the inputs are tensors of backend ${device}`;
        refusals.set(slot, [{ code: "device", message }]);
      } else {
        const support = slot.backend.supports(problem);
        if (support.ok) candidates.push(slot);
        else refusals.set(slot, support.reasons);
      }
    }
    const [first] = candidates;
    const planKey = first ? this.#planKey(first, problem) : "";
    const route: Route = { order, candidates, refusals, planKey, reported: false };
    if (routes === undefined || routes.size >= routesKept) {
      routes = new Map();
      this.#routes.set(device, routes);
    }
    routes.set(problem, route);
    return route;
  }

  #orderFor(problem: Problem): readonly Slot[] {
    const { select } = this.#options;
    if (typeof select === "string" || problem.operation !== attention.name) return this.#slots;
    const ranked = this.#slots.map((slot) => ({
      slot,
      name: slot.name,
      threads: slot.backend?.info.threads ?? null,
    }));
    return rankBackends(select, problem as AttentionProblem, ranked).map(({ slot }) => slot);
  }

  /** A later backend may not stand in for an earlier one without a word. */
  #reportFallback(preferred: Slot, route: Route): void {
    const { order, refusals } = route;
    const earlier = order.slice(0, order.indexOf(preferred));
    const passedOver = earlier
      .map((slot) => ({ backend: slot.name, reasons: refusals.get(slot) ?? [] }))
      // That data stays on its device is what the caller asked for, not a fallback.
      .filter(({ reasons }) => reasons.some(({ code }) => code !== "device"));
    if (passedOver.length > 0 && this.#options.fallback === "error") {
      throw new UnsupportedError(passedOver);
    }
    route.reported = true;
    if (passedOver.length === 0 || this.#options.fallback === "silent") return;
    const message = `heed: ${preferred.name} runs instead of a backend that comes before it\n${formatReasons(passedOver)}`;
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    console.warn(message);
  }

  #measures(candidates: readonly ReadySlot[]): boolean {
    return this.#options.select === "fastest" && candidates.length > 1;
  }

  #chosenSoFar(problem: Problem, candidates: readonly ReadySlot[]): ReadySlot | undefined {
    if (!this.#measures(candidates)) return candidates[0];
    const measured = this.#fastest.get(classKey(problem));
    return measured instanceof Promise ? undefined : measured;
  }

  #whyNotChosen(chosen: Slot | undefined): SupportReason {
    if (chosen === undefined) {
      return {
        code: "not-measured",
        message: "could run it; the first call measures which backend is fastest",
      };
    }
    if (this.#options.select === "fastest") {
      return {
        code: "slower",
        message: `could run it, but ${chosen.name} was measured to be faster`,
      };
    }
    const whose = this.#options.select === "order" ? "" : " in the recommendation";
    return {
      code: "lower-priority",
      message: `could run it, but comes after ${chosen.name}${whose}`,
    };
  }

  async #findFastest(bound: Bound, candidates: readonly ReadySlot[]): Promise<ReadySlot> {
    const { problem } = bound;
    const key = classKey(problem);
    const known = this.#fastest.get(key);
    if (known) return known;
    const measuring = fastestOf(candidates, (slot) =>
      this.#plans.with(
        this.#planKey(slot, problem),
        () => slot.backend.plan(problem),
        (plan) => runPlan(plan, bound),
      ),
    );
    this.#fastest.set(key, measuring);
    if (this.#fastest.size > measurementsKept) {
      this.#fastest.delete(this.#fastest.keys().next().value as string);
    }
    try {
      const fastest = await measuring;
      if (this.#fastest.has(key)) this.#fastest.set(key, fastest);
      return fastest;
    } catch (error) {
      this.#fastest.delete(key);
      throw error;
    }
  }
}

/** Problems of one class share a measurement. */
function classKey(problem: Problem): string {
  return problem.operation === attention.name
    ? lengthClassKey(problem as AttentionProblem)
    : `${problem.operation} ${problem.key}`;
}

function reasonsOf({ refusals }: Route): BackendReasons[] {
  return [...refusals].map(([slot, reasons]) => ({ backend: slot.name, reasons }));
}
