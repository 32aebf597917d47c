import { asBackendError } from "../backend-error.js";
import {
  BackendError,
  DeviceLostError,
  describeValue,
  type HeedError,
  isHeedError,
  type SupportReason,
  UnsupportedError,
} from "../errors.js";
import type { AbortSignalLike } from "../operation/abort.js";
import type { Plan, PlanOptions } from "../operation/backend.js";
import { CallOrder, type CallTurn } from "../operation/call-order.js";
import type { AnyOperation, Bound } from "../operation/operation.js";
import type { Problem } from "../operation/problem.js";
import type { Activity } from "./activity.js";
import type { Listeners } from "./events.js";
import type { Fallbacks } from "./fallbacks.js";
import type { CachedPlan, PlanCache } from "./plan-cache.js";
import { isFailure, Recovery } from "./recovery.js";
import { type Route, type Routes, reasonsOf } from "./routes.js";
import { checkOutputs, newOutputs, runFailure, runPlan, startPlan } from "./run-plan.js";
import type { ReadySlot, Slot } from "./slot.js";
import type { Strategy } from "./strategy.js";
import { untilAborted } from "./wait.js";
import { beginCall, turnToAwait } from "./yield.js";

/** A call on its way. */
export interface Call {
  readonly operation: AnyOperation;
  readonly bound: Bound;
  /** The backend whose memory the inputs are in; null for host tensors. */
  readonly device: string | null;
  /** Backends that accepted the call and failed it. */
  readonly failed: readonly Slot[];
  /** Aborted when nobody waits for the call any more; undefined where that cannot happen. */
  readonly signal: AbortSignalLike | undefined;
}

/** The parts of an attention that running calls needs. */
export interface ExecutionParts {
  readonly slots: readonly Slot[];
  /** null: the first that can run a problem. */
  readonly strategy: Strategy | null;
  /** Whether a call that a backend failed runs on the next one. */
  readonly recover: boolean;
  readonly plans: PlanCache;
  readonly routes: Routes;
  readonly listeners: Listeners;
  readonly fallbacks: Fallbacks;
  readonly activity: Activity;
}

/** Runs bound calls: chooses a backend for each, takes or makes its plan, and decides about failures. */
export class Execution {
  readonly #slots: readonly Slot[];
  readonly #strategy: Strategy | null;
  readonly #recover: boolean;
  readonly #plans: PlanCache;
  readonly #routes: Routes;
  readonly #listeners: Listeners;
  readonly #fallbacks: Fallbacks;
  readonly #activity: Activity;
  readonly #recovery: Recovery;
  /** The order of calls on backends' memory, by backend, while some wait for their plans. */
  readonly #orders = new Map<string, CallOrder>();

  constructor(parts: ExecutionParts) {
    this.#slots = parts.slots;
    this.#strategy = parts.strategy;
    this.#recover = parts.recover;
    this.#plans = parts.plans;
    this.#routes = parts.routes;
    this.#listeners = parts.listeners;
    this.#fallbacks = parts.fallbacks;
    this.#activity = parts.activity;
    this.#recovery = new Recovery(parts.listeners, (slot) => this.changed(slot));
  }

  /** Loads a backend that was not tried yet. Calls that wait for it count as running, until they are given up. */
  async load(slot: Slot, signal?: AbortSignalLike): Promise<void> {
    this.#activity.begin();
    try {
      await untilAborted(slot.load(), signal);
      this.changed(slot);
    } finally {
      this.#end(null);
    }
  }

  /** Forgets what was known about problems, after a slot came or went. */
  changed(slot: Slot): void {
    this.#routes.clear();
    if (slot.state === "lost") this.#plans.clear(this.#routes.planPrefix(slot));
  }

  /** Makes a plan ahead; with options, in place of one that there is. */
  async plan(slot: ReadySlot, problem: Problem, options?: PlanOptions): Promise<void> {
    this.#activity.checkOpen();
    this.#activity.begin();
    const key = this.#routes.planKey(slot, problem);
    if (options !== undefined) this.#plans.clear(key);
    const entry = this.#plans.take(key, () => makePlan(slot, problem, options));
    try {
      await entry.made;
    } finally {
      this.#end(entry);
    }
  }

  /** The route of a problem, once backends were loaded until one runs it. */
  async loadedRoute(problem: Problem, device: string | null): Promise<Route> {
    for (;;) {
      this.#activity.checkOpen();
      const route = this.#routes.find(problem, device);
      if (route.next === null) return route;
      await this.load(route.next);
    }
  }

  /**
   * Runs a bound call. In a steady state, this is written with callbacks: an async function takes
   * three times as many bytes a call.
   *
   * @throws UnsupportedError
   */
  execute(call: Call): Promise<object> {
    beginCall();
    this.#recovery.retryDue();
    const { bound, device, failed } = call;
    const route = this.#routes.find(bound.problem, device, call.operation);
    const candidates = withoutFailed(route.candidates, failed);
    let slot = candidates[0];
    if (slot === undefined || route.next !== null) return this.#loadAndRun(call, route);
    if (!route.told) this.#tell(bound.problem, slot, route);
    if (candidates.length > 1 && this.#strategy?.choose) {
      const chosen = this.#strategy.choose(bound.problem, candidates, true);
      if (chosen === undefined) return this.#measureAndRun(call, candidates);
      slot = chosen;
    }
    this.#activity.begin();
    const key = route.planKeys[route.candidates.indexOf(slot)] as string;
    const inOrder = device === null || this.#orders.get(device)?.busy !== true;
    const entry = inOrder ? this.#plans.takeReady(key) : null;
    return entry === null ? this.#planAndRun(call, slot, key) : this.#runReady(call, slot, entry);
  }

  /** @throws UnsupportedError, DeviceLostError if there is no backend left to load */
  #loadAndRun(call: Call, route: Route): Promise<object> {
    const [next] = route.waiting;
    if (next !== undefined) return this.load(next, call.signal).then(() => this.#resume(call));
    const { device } = call;
    if (device !== null && this.#slots.some((s) => s.name === device && s.state === "lost")) {
      throw new DeviceLostError(device, "its device is lost, and with it the tensors of this call");
    }
    throw new UnsupportedError(reasonsOf(route));
  }

  /** Goes on with a call after a wait. */
  async #resume(call: Call): Promise<object> {
    this.#activity.checkOpen();
    return this.execute(call);
  }

  async #measureAndRun(call: Call, candidates: readonly ReadySlot[]): Promise<object> {
    const { operation, bound } = call;
    const { problem } = bound;
    const strategy = this.#strategy as Strategy & Required<Pick<Strategy, "measure">>;
    this.#activity.begin();
    let slot: ReadySlot;
    try {
      if ((await this.test(candidates, problem)) !== null) return this.#chooseAgain(call);
      slot = await strategy.measure(problem, candidates, (candidate) =>
        this.#plans.with(
          this.#routes.planKey(candidate, problem),
          () => makePlan(candidate, problem),
          async (plan) => newOutputs(bound, await runPlan(candidate.name, plan, operation, bound)),
        ),
      );
    } catch (thrown) {
      this.#end(null);
      throw thrown;
    }
    return this.#planAndRun(call, slot, this.#routes.planKey(slot, problem));
  }

  /** Ends a call that is counted as running. On device memory, it keeps its place among other calls. */
  async #planAndRun(call: Call, slot: ReadySlot, key: string): Promise<object> {
    const { device, operation, bound } = call;
    if (device === null) return this.#planAndRunAt(call, slot, key, null);
    const updates = operation.operands(bound.problem).some(({ access }) => access === "update");
    const order = this.#orders.get(device) ?? new CallOrder();
    this.#orders.set(device, order);
    const turn = order.take(updates);
    try {
      return await this.#planAndRunAt(call, slot, key, turn);
    } finally {
      turn.end();
    }
  }

  async #planAndRunAt(
    call: Call,
    slot: ReadySlot,
    key: string,
    turn: CallTurn | null,
  ): Promise<object> {
    const untested = slot.test !== null && (await this.test([slot], call.bound.problem)) !== null;
    if (untested) return this.#chooseAgain(call);
    const entry = this.#plans.take(key, () => makePlan(slot, call.bound.problem));
    try {
      await untilAborted(entry.made, call.signal);
    } catch (thrown) {
      this.#end(entry);
      return this.#afterFailure(call, slot, thrown);
    }
    if (turn?.ready) await turn.ready;
    const running = this.#runReady(call, slot, entry, false);
    turn?.end();
    return running;
  }

  /** @param steady whether the plan was there before the call */
  #runReady(call: Call, slot: ReadySlot, entry: CachedPlan, steady = true): Promise<object> {
    const timed =
      steady && call.device === null && this.#activity.alone && this.#strategy?.saw !== undefined;
    const start = timed ? performance.now() : -1;
    let running: unknown;
    try {
      running = startPlan(entry.ready as Plan, call.bound, call.signal);
    } catch (thrown) {
      running = Promise.reject(thrown);
    }
    if (typeof (running as PromiseLike<unknown> | null)?.then === "function") {
      return this.#settle(call, slot, entry, start, running as PromiseLike<unknown>);
    }
    // Computed by now: the closures of a promise would be most of what a call leaves on the heap.
    try {
      const result = this.#resultOf(call, slot, entry, start, running);
      const turn = turnToAwait();
      return turn === null ? Promise.resolve(result) : after(turn, result);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #settle(
    call: Call,
    slot: ReadySlot,
    entry: CachedPlan,
    start: number,
    running: PromiseLike<unknown>,
  ): Promise<object> {
    return Promise.resolve(running).then(
      (outputs) => {
        const result = this.#resultOf(call, slot, entry, start, outputs);
        const turn = turnToAwait();
        return turn === null ? result : after(turn, result);
      },
      (thrown: unknown) => {
        this.#end(entry);
        const error = runFailure(slot.name, call.operation, call.bound, thrown);
        return this.#afterFailure(call, slot, error);
      },
    );
  }

  /**
   * Ends a call that was computed.
   *
   * @param start time at which it began; −1 if it is not measured
   * @throws as {@link checkOutputs} says
   */
  #resultOf(
    { operation, bound }: Call,
    slot: ReadySlot,
    entry: CachedPlan,
    start: number,
    outputs: unknown,
  ): object {
    if (start >= 0 && this.#activity.alone) {
      this.#strategy?.saw?.(bound.problem, slot, performance.now() - start);
    }
    this.#end(entry);
    // Spreading into a literal with one more member takes 1.2 µs in Node 20; this takes none of it.
    return Object.assign(
      { backend: slot.name },
      checkOutputs(slot.name, operation, bound, outputs),
    );
  }

  /**
   * Decides about a call that a backend accepted and failed, or refused for where its tensors are: it runs on
   * another backend where it may, and otherwise throws the error.
   */
  #afterFailure(call: Call, slot: ReadySlot, thrown: unknown): Promise<object> {
    // A call that overlaps the one that showed a loss finds the backend disposed.
    const lost = slot.state === "lost" && isHeedError(thrown, "disposed");
    const refused = isHeedError(thrown, "unsupported") && this.#fallbacks.allowed;
    const recovers = this.#recover && isHeedError(thrown) && (lost || isFailure(thrown));
    if (!(refused || recovers) || call.signal?.aborted) throw thrown;
    if (!refused) this.#recovery.failed(slot, thrown);
    // Tensors in a backend's memory can be computed with by no other backend.
    if (call.device !== null || this.#activity.closed) throw thrown;
    return this.#resume({ ...call, failed: [...call.failed, slot] }).then(
      (result) => {
        const { backend: to } = result as { readonly backend: string };
        const reasons = reasonsOfFailure(thrown);
        const { problem } = call.bound;
        this.#fallbacks.afterFailure(problem, { backend: slot.name, reasons }, to);
        return result;
      },
      (error: unknown) => {
        throw isHeedError(error, "unsupported") ? thrown : error;
      },
    );
  }

  /** Ends a call that is counted as running. */
  #end(entry: CachedPlan | null): void {
    if (entry !== null) this.#plans.release(entry);
    this.#activity.end();
  }

  /** Begins a call anew that is counted as running, before it ends: dispose waits for one of the two. */
  #chooseAgain(call: Call): Promise<object> {
    try {
      return this.execute(call);
    } finally {
      this.#end(null);
    }
  }

  /**
   * Tests backends in the dtypes of a problem, where they have not been tested yet. If one fails, routes
   * are to be worked out anew.
   *
   * @returns why one of them failed; null if none did
   */
  async test(slots: readonly ReadySlot[], problem: Problem): Promise<SupportReason | null> {
    const dtypes = this.#routes.floatDTypes(problem);
    let failure: SupportReason | null = null;
    for (const { test } of slots) failure = (await test?.complete(dtypes)) ?? failure;
    if (failure !== null) this.#routes.clear();
    return failure;
  }

  /** Tells of a problem's first call on this route. */
  #tell(problem: Problem, preferred: Slot, route: Route): void {
    this.#fallbacks.passOver(problem, preferred, route);
    route.told = true;
    if (this.#strategy?.choose === undefined || route.candidates.length === 1) {
      const reason = this.why(problem, preferred) ?? "the first that can run it";
      this.#listeners.tell("choice", { problem, backend: preferred.name, reason });
    }
  }

  /** Why the chosen backend is chosen, if there is more to say than that it is the first. */
  why(problem: Problem, chosen: Slot): string | undefined {
    return this.#strategy?.why?.(problem, chosen) ?? chosen.orderReason;
  }
}

/** @throws BackendError (rejects) where the backend throws something that is no HeedError */
async function makePlan(slot: ReadySlot, problem: Problem, options?: PlanOptions): Promise<Plan> {
  let plan: unknown;
  try {
    plan = await slot.backend.plan(problem, options);
  } catch (thrown) {
    throw asBackendError(slot.name, "planning", thrown);
  }
  if (typeof (plan as Plan | null)?.run === "function") return plan as Plan;
  throw new BackendError(
    slot.name,
    `plan() gave something that is no plan: ${describeValue(plan)}`,
  );
}

/** The backend's own reasons, where it refused the call; else what it failed with. */
function reasonsOfFailure(thrown: HeedError): readonly SupportReason[] {
  if (isHeedError(thrown, "unsupported")) return thrown.backends.flatMap(({ reasons }) => reasons);
  return [{ code: thrown.code, message: thrown.message }];
}

function withoutFailed(
  candidates: readonly ReadySlot[],
  failed: readonly Slot[],
): readonly ReadySlot[] {
  return failed.length === 0 ? candidates : candidates.filter((slot) => !failed.includes(slot));
}

/** Apart from the calls that wait, since these would all make room for what the function holds. */
function after(turn: Promise<void>, result: object): Promise<object> {
  return turn.then(() => result);
}
