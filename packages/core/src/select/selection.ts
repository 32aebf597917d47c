/// <reference lib="esnext.disposable" preserve="true" />
import type { AttentionInputs, AttentionReturns } from "../attention/inputs.js";
import { attention } from "../attention/operation.js";
import { type AttentionProblem, lengthClassKey } from "../attention/problem.js";
import { asBackendError } from "../backend-error.js";
import { makeDisposable, withDispose } from "../disposable.js";
import {
  BackendError,
  type BackendReasons,
  DisposedError,
  describeValue,
  formatReasons,
  type HeedError,
  InvalidInputError,
  messageOf,
  type SupportReason,
  UnsupportedError,
} from "../errors.js";
import type { Plan } from "../operation/backend.js";
import type { AnyOperation, Bound, InputsOf, OutputsOf } from "../operation/operation.js";
import { isProblem, type Problem } from "../operation/problem.js";
import { isList, reading, unreadable } from "../options.js";
import type { DeviceMemory } from "../tensor/device.js";
import { type DType, type FloatDType, isFloatDType } from "../tensor/dtype.js";
import type { DeviceTensor, HostTensor, Tensor } from "../tensor/tensor.js";
import type { Attention, AttentionResult, BackendStatus, MemoryOptions } from "./attention.js";
import { type Explanation, explanation, whyNotChosen } from "./explanation.js";
import { fastestOf } from "./fastest.js";
import { memoryOf } from "./memory.js";
import { type CachedPlan, PlanCache } from "./plan-cache.js";
import { type BackendRecommendation, rankBackends } from "./recommendation.js";
import { checkOutputs, ownerOf, runFailure, runPlan, startPlan } from "./run-plan.js";
import { isReady, type ReadySlot, type Slot, statusOf } from "./slot.js";
import { beginCall, turnToAwait } from "./yield.js";

export interface SelectionOptions {
  readonly select: "order" | "fastest" | BackendRecommendation;
  readonly fallback: "warn" | "error" | "silent";
  readonly planCacheSize: number;
}

/** Everything about a problem that does not change from call to call. */
interface Route {
  /** Every slot, in the order of preference for the problem. */
  readonly order: readonly Slot[];
  /** Slots that may run the problem, in order of preference. */
  readonly candidates: readonly ReadySlot[];
  /** Slots that may not, in order of preference, with their reasons. */
  readonly refusals: ReadonlyMap<Slot, readonly SupportReason[]>;
  /** The plan cache's key for the first candidate. */
  readonly planKey: string;
  /** Whether a fallback to the first candidate has been reported. */
  reported: boolean;
}

/** Routes kept; beyond that they are worked out anew. */
const routesKept = 1024;

/** Different warnings that are printed; beyond that, backends refuse for reasons without end. */
const mostWarnings = 256;

/** Measurements kept for `select: "fastest"`; the oldest goes first. */
const measurementsKept = 1024;

/** The attention that `createAttention` returns: chooses a backend for each call, keeps plans, runs them. */
export class BackendSelection implements Attention {
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;
  readonly backends: readonly BackendStatus[];
  readonly #slots: readonly Slot[];
  readonly #options: SelectionOptions;
  readonly #plans: PlanCache;
  /** Operations by name, of the problems that were routed. */
  readonly #operations = new Map<string, AnyOperation>([[attention.name, attention]]);
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
    this.#plans = new PlanCache(options.planCacheSize, (thrown) => {
      this.#warnOnce("dispose", `heed: disposing a plan failed: ${messageOf(thrown)}`);
    });
    this.backends = Object.freeze(slots.map(statusOf));
  }

  run<Query extends HostTensor, const Returns extends AttentionReturns = AttentionReturns>(
    inputs: AttentionInputs<HostTensor, Query, Returns>,
  ): Promise<AttentionResult<HostTensor, Query["dtype"], Returns>>;
  run<Query extends Tensor, const Returns extends AttentionReturns = AttentionReturns>(
    inputs: AttentionInputs<Tensor, Query, Returns>,
  ): Promise<AttentionResult<Tensor, Query["dtype"], Returns>>;
  run(inputs: AttentionInputs): Promise<AttentionResult<never>> {
    return this.apply(attention, inputs) as Promise<AttentionResult<never>>;
  }

  /** Not async: the call is validated and bound, and its arrays copied, before it returns. */
  apply<O extends AnyOperation>(
    operation: O,
    inputs: InputsOf<O>,
  ): Promise<OutputsOf<O> & { readonly backend: string }> {
    try {
      this.#checkAlive();
      const bound = bindCall(operation, inputs);
      const result = this.#execute(operation, bound, ownerOf(operation, bound));
      return result as Promise<OutputsOf<O> & { readonly backend: string }>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  explain(subject: Problem | AttentionInputs): Explanation {
    this.#checkAlive();
    const bound = isProblem(subject) ? null : bindCall(attention, subject);
    const problem = bound?.problem ?? (subject as Problem);
    const device = bound && ownerOf(attention, bound);
    const operation = bound ? attention : undefined;
    const { order, candidates, refusals } = this.#route(problem, device, operation);
    const chosen = this.#chosenSoFar(problem, candidates);
    const others = order
      .filter((slot) => slot !== chosen)
      .map((slot) => ({
        backend: slot.name,
        reasons: refusals.get(slot) ?? [whyNotChosen(this.#options.select, chosen?.name)],
      }));
    return explanation(chosen?.name ?? null, others);
  }

  async upload<D extends DType>(
    tensor: HostTensor<D>,
    options?: MemoryOptions,
  ): Promise<DeviceTensor<D> & Disposable> {
    const made = await this.#memory(options).upload(tensor);
    return withDispose(made) as DeviceTensor<D> & Disposable;
  }

  allocate<D extends DType>(
    dtype: D,
    shape: readonly number[],
    options?: MemoryOptions,
  ): DeviceTensor<D> & Disposable {
    const made = this.#memory(options).allocate(dtype, shape);
    return withDispose(made) as DeviceTensor<D> & Disposable;
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
    const failures: HeedError[] = [];
    for (const { name, backend } of this.#slots) {
      try {
        backend?.dispose();
      } catch (thrown) {
        failures.push(asBackendError(name, "disposing it", thrown));
      }
    }
    // Everything is released by now, whatever the first failure was.
    if (failures[0]) throw failures[0];
  }

  #checkAlive(): void {
    if (this.#disposed) throw new DisposedError("attention");
  }

  #memory(options: MemoryOptions | undefined): DeviceMemory {
    this.#checkAlive();
    return memoryOf(this.#slots, options);
  }

  /**
   * Runs a bound call. In a steady state, this is written with callbacks: an async function takes
   * three times as many bytes a call.
   *
   * @throws UnsupportedError
   */
  #execute(operation: AnyOperation, bound: Bound, device: string | null): Promise<object> {
    beginCall();
    const route = this.#route(bound.problem, device, operation);
    const preferred = route.candidates[0];
    if (preferred === undefined) throw new UnsupportedError(reasonsOf(route));
    if (!route.reported) this.#reportFallback(preferred, route);
    this.#running += 1;
    const measures = this.#measures(route.candidates);
    const entry = measures ? null : this.#plans.takeReady(route.planKey);
    if (entry === null) return this.#planAndRun(operation, bound, device, route);
    return this.#runReady(operation, bound, preferred.name, entry);
  }

  async #planAndRun(
    operation: AnyOperation,
    bound: Bound,
    device: string | null,
    { candidates }: Route,
  ): Promise<object> {
    const measures = this.#measures(candidates);
    const [preferred] = candidates;
    let entry: CachedPlan | null = null;
    try {
      const chosen = measures ? candidates : preferred ? [preferred] : [];
      if (await this.#failTests(chosen, operation, bound.problem)) {
        // Chosen anew, before this call ends: dispose waits for one of the two.
        const again = this.#execute(operation, bound, device);
        this.#end(null);
        return again;
      }
      const slot = measures
        ? await this.#findFastest(operation, bound, candidates)
        : (preferred as ReadySlot);
      entry = this.#plans.take(this.#planKey(slot, bound.problem), () =>
        makePlan(slot, bound.problem),
      );
      await entry.made;
      return this.#runReady(operation, bound, slot.name, entry);
    } catch (thrown) {
      // Only what comes before the run throws here; the run itself ends by its own callbacks.
      this.#end(entry);
      throw thrown;
    }
  }

  #runReady(
    operation: AnyOperation,
    bound: Bound,
    backend: string,
    entry: CachedPlan,
  ): Promise<object> {
    let running: Promise<unknown>;
    try {
      running = startPlan(entry.ready as Plan, bound);
    } catch (thrown) {
      running = Promise.reject(thrown);
    }
    return Promise.resolve(running).then(
      (outputs) => {
        this.#end(entry);
        // Spreading into a literal with one more member takes 1.2 µs in Node 20; this takes none of it.
        const result = Object.assign({ backend }, checkOutputs(backend, operation, bound, outputs));
        const turn = turnToAwait();
        return turn === null ? result : turn.then(() => result);
      },
      (thrown: unknown) => {
        this.#end(entry);
        throw runFailure(backend, operation, bound, thrown);
      },
    );
  }

  /** Ends a call that {@link #execute} began. */
  #end(entry: CachedPlan | null): void {
    if (entry !== null) this.#plans.release(entry);
    this.#running -= 1;
    if (this.#running === 0) this.#onIdle?.();
  }

  /** Two backends may share a name (two GPUs): the slot's place tells them apart. */
  #planKey(slot: ReadySlot, problem: Problem): string {
    return `${this.#slots.indexOf(slot)} ${problem.operation} ${problem.key}`;
  }

  /**
   * Tests backends in the dtypes of a problem, where they have not been tested yet.
   *
   * @returns whether one of them failed, so that routes are to be worked out anew
   */
  async #failTests(
    slots: readonly ReadySlot[],
    operation: AnyOperation,
    problem: Problem,
  ): Promise<boolean> {
    const dtypes = floatDTypes(operation, problem);
    let failed = false;
    for (const { selfTest } of slots) {
      if (selfTest !== null && (await selfTest.complete(dtypes)) !== null) failed = true;
    }
    if (failed) this.#routes.clear();
    return failed;
  }

  /**
   * @param device the backend whose memory the inputs are in, if any: no other may run them
   * @param operation the problem's; undefined if the problem alone is known
   */
  #route(problem: Problem, device: string | null, operation: AnyOperation | undefined): Route {
    let routes = this.#routes.get(device);
    const known = routes?.get(problem);
    if (known) return known;
    if (operation) this.#operations.set(operation.name, operation);
    const its = operation ?? this.#operations.get(problem.operation);
    const dtypes = its ? floatDTypes(its, problem) : [];
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
        const failure = slot.selfTest?.failure(dtypes) ?? null;
        const reasons = failure === null ? refusalsOf(slot, problem) : [failure];
        if (reasons === null) candidates.push(slot);
        else refusals.set(slot, reasons);
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
    // Reasons may contain lengths, which grow with each call of a decode loop: codes say what is new.
    const codes = passedOver.map(({ backend, reasons }) => [backend, reasons.map((r) => r.code)]);
    this.#warnOnce(
      JSON.stringify([preferred.name, codes]),
      `heed: ${preferred.name} runs instead of a backend that comes before it\n${formatReasons(passedOver)}`,
    );
  }

  #warnOnce(kind: string, message: string): void {
    if (this.#warned.has(kind) || this.#warned.size >= mostWarnings) return;
    this.#warned.add(kind);
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

  async #findFastest(
    operation: AnyOperation,
    bound: Bound,
    candidates: readonly ReadySlot[],
  ): Promise<ReadySlot> {
    const { problem } = bound;
    const key = classKey(problem);
    const known = this.#fastest.get(key);
    if (known) return known;
    const measuring = fastestOf(candidates, (slot) =>
      this.#plans.with(
        this.#planKey(slot, problem),
        () => makePlan(slot, problem),
        (plan) => runPlan(slot.name, plan, operation, bound),
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

/** Why a backend does not run a problem; null if it does. A backend that fails to say does not. */
function refusalsOf(slot: ReadySlot, problem: Problem): readonly SupportReason[] | null {
  try {
    const support = slot.backend.supports(problem);
    if (support.ok === true) return null;
    const reasons = isList(support.reasons) ? support.reasons.filter(isReason) : [];
    if (reasons.length > 0) return reasons;
    return [{ code: "backend-error", message: "refuses the problem without reasons" }];
  } catch (thrown) {
    return [{ code: "backend-error", message: `failed to say why: ${messageOf(thrown)}` }];
  }
}

function isReason(value: unknown): value is SupportReason {
  if (typeof value !== "object" || value === null) return false;
  const { code, message } = value as Partial<SupportReason>;
  return typeof code === "string" && typeof message === "string";
}

makeDisposable(BackendSelection, ["async"]);

/** A call validated and bound, whatever its members do when they are read. */
function bindCall(operation: AnyOperation, inputs: unknown): Bound {
  const usable = reading("operation", () =>
    [operation?.describe, operation?.bind, operation?.operands].every(
      (member) => typeof member === "function",
    ),
  );
  if (!usable) {
    const expected = "an operation, such as attention or rotary";
    throw new InvalidInputError("operation", expected, describeValue(operation));
  }
  try {
    return operation.bind(operation.describe(inputs), inputs) as Bound;
  } catch (error) {
    throw unreadable("inputs", error);
  }
}

/** @throws BackendError (rejects) where the backend throws something that is no HeedError */
async function makePlan(slot: ReadySlot, problem: Problem): Promise<Plan> {
  let plan: unknown;
  try {
    plan = await slot.backend.plan(problem);
  } catch (thrown) {
    throw asBackendError(slot.name, "planning", thrown);
  }
  if (typeof (plan as Plan | null)?.run === "function") return plan as Plan;
  throw new BackendError(
    slot.name,
    `plan() gave something that is no plan: ${describeValue(plan)}`,
  );
}

/** The floating-point dtypes among the tensors of a problem, each once. */
function floatDTypes(operation: AnyOperation, problem: Problem): FloatDType[] {
  const found = new Set<FloatDType>();
  for (const { dtype } of operation.operands(problem)) if (isFloatDType(dtype)) found.add(dtype);
  return [...found];
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
