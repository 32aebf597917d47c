/// <reference lib="esnext.disposable" preserve="true" />
import type { AttentionInputs, AttentionReturns } from "../attention/inputs.js";
import { attention } from "../attention/operation.js";
import { asBackendError } from "../backend-error.js";
import { makeDisposable, withDispose } from "../disposable.js";
import {
  BackendError,
  DeviceLostError,
  DisposedError,
  describeValue,
  type HeedError,
  InvalidInputError,
  isHeedError,
  messageOf,
  type SupportReason,
  UnsupportedError,
} from "../errors.js";
import type { AbortSignalLike } from "../operation/abort.js";
import type { Plan } from "../operation/backend.js";
import { CallOrder, type CallTurn } from "../operation/call-order.js";
import type { AnyOperation, Bound, InputsOf, OutputsOf } from "../operation/operation.js";
import { isProblem, type Problem } from "../operation/problem.js";
import { checkNames, isList } from "../options.js";
import type { DeviceMemory } from "../tensor/device.js";
import type { DType } from "../tensor/dtype.js";
import { isDeviceTensor } from "../tensor/host-tensor.js";
import type { DeviceTensor, HostTensor, Tensor } from "../tensor/tensor.js";
import type {
  Attention,
  AttentionResult,
  BackendStatus,
  CallOptions,
  MemoryOptions,
  WarmUpOptions,
} from "./attention.js";
import { bindCall } from "./bind-call.js";
import { type AttentionEvents, eventNames, Listeners } from "./events.js";
import { type Explanation, explanation } from "./explanation.js";
import { Fallbacks } from "./fallbacks.js";
import { checkLimits, readLimits, withLimits } from "./limits.js";
import { loadMemory, memoryOf } from "./memory.js";
import { type CachedPlan, PlanCache } from "./plan-cache.js";
import { isFailure, Recovery } from "./recovery.js";
import { type Route, Routes, reasonsOf } from "./routes.js";
import { checkOutputs, newOutputs, ownerOf, runFailure, runPlan, startPlan } from "./run-plan.js";
import { isReady, type ReadySlot, type Slot } from "./slot.js";
import type { Candidate, Strategy, StrategyControl } from "./strategy.js";
import { Warnings } from "./warnings.js";
import { beginCall, turnToAwait } from "./yield.js";

export interface SelectionOptions {
  /** null: the first that can run a problem. */
  readonly strategy: Strategy | null;
  readonly fallback: "warn" | "error" | "silent";
  readonly planCacheSize: number;
  readonly recover: boolean;
}

/** A call on its way. */
interface Call {
  readonly operation: AnyOperation;
  readonly bound: Bound;
  /** The backend whose memory the inputs are in; null for host tensors. */
  readonly device: string | null;
  /** Backends that accepted the call and failed it. */
  readonly failed: readonly Slot[];
  /** Aborted when nobody waits for the call any more; undefined where that cannot happen. */
  readonly signal: AbortSignalLike | undefined;
}

const noSlots: readonly Slot[] = [];

const warmUpNames: ReadonlySet<string> = new Set(["signal", "timeout", "onProgress"]);

/** The attention that `createAttention` returns: chooses a backend for each call, keeps plans, runs them. */
export class BackendSelection implements Attention {
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;
  readonly #slots: readonly Slot[];
  readonly #options: SelectionOptions;
  readonly #strategy: Strategy | null;
  readonly #plans: PlanCache;
  readonly #listeners: Listeners;
  /** The order of calls on backends' memory, by backend, while some wait for their plans. */
  readonly #orders = new Map<string, CallOrder>();
  readonly #recovery: Recovery;
  readonly #routes: Routes;
  readonly #fallbacks: Fallbacks;
  /** Calls under way. */
  #running = 0;
  /** The runs among them that nobody waits for any more. */
  #abandoned = 0;
  #onIdle: (() => void) | null = null;
  #disposed: Promise<void> | null = null;

  constructor(slots: readonly Slot[], options: SelectionOptions) {
    this.#slots = slots;
    this.#options = options;
    this.#strategy = options.strategy;
    this.#routes = new Routes(slots, options.strategy);
    const warnings = new Warnings();
    this.#plans = new PlanCache(options.planCacheSize, (thrown) => {
      warnings.warn("dispose", `heed: disposing a plan failed: ${messageOf(thrown)}`);
    });
    this.#listeners = new Listeners((thrown) => {
      warnings.warn("listener", `heed: a listener failed: ${messageOf(thrown)}`);
    });
    this.#fallbacks = new Fallbacks(options.fallback, this.#listeners, warnings);
    this.#recovery = new Recovery(this.#listeners, (slot) => this.#changed(slot));
    this.#strategy?.attach?.(this.#control());
  }

  get backends(): readonly BackendStatus[] {
    return Object.freeze(this.#slots.map(({ status }) => status));
  }

  run<Query extends HostTensor, const Returns extends AttentionReturns = AttentionReturns>(
    inputs: AttentionInputs<HostTensor, Query, Returns>,
    options?: CallOptions,
  ): Promise<AttentionResult<HostTensor, Query["dtype"], Returns>>;
  run<Query extends Tensor, const Returns extends AttentionReturns = AttentionReturns>(
    inputs: AttentionInputs<Tensor, Query, Returns>,
    options?: CallOptions,
  ): Promise<AttentionResult<Tensor, Query["dtype"], Returns>>;
  run(inputs: AttentionInputs, options?: CallOptions): Promise<AttentionResult<never>> {
    return this.apply(attention, inputs, options) as Promise<AttentionResult<never>>;
  }

  /** Not async: the call is validated and bound, and its arrays copied, before it returns. */
  apply<O extends AnyOperation>(
    operation: O,
    inputs: InputsOf<O>,
    options?: CallOptions,
  ): Promise<OutputsOf<O> & { readonly backend: string }> {
    try {
      this.#checkAlive();
      const bound = bindCall(operation, inputs);
      const device = ownerOf(operation, bound);
      const call: Call = { operation, bound, device, failed: noSlots, signal: undefined };
      const result = options === undefined ? this.#execute(call) : this.#limited(call, options);
      return result as Promise<OutputsOf<O> & { readonly backend: string }>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #limited(call: Call, options: CallOptions): Promise<object> {
    const stop = new AbortController();
    return withLimits(
      checkLimits(options),
      () => this.#execute({ ...call, signal: stop.signal }),
      (late) => {
        stop.abort();
        this.#abandon(late.then((outputs) => newOutputs(call.bound, outputs)));
      },
    );
  }

  async prepare(subject: Problem | AttentionInputs, options?: CallOptions): Promise<Explanation> {
    const limits = checkLimits(options);
    const { problem, device } = this.#read(subject);
    await withLimits(
      limits,
      () => this.#prepare(problem, device),
      (late) => this.#abandon(late),
    );
    return this.explain(subject);
  }

  async warmUp(
    subjects: readonly (Problem | AttentionInputs)[],
    options?: WarmUpOptions,
  ): Promise<void> {
    if (!isList(subjects)) {
      throw new InvalidInputError("subjects", "a list of calls", describeValue(subjects));
    }
    if (options !== undefined) checkNames("options", options, warmUpNames);
    const { onProgress } = options ?? {};
    const limits = readLimits(options ?? {});
    let over = false;
    const all = async (): Promise<void> => {
      for (const [i, subject] of subjects.entries()) {
        if (over) return;
        await this.prepare(subject);
        if (!isProblem(subject) && !over) releaseOutputs(await this.run(subject));
        onProgress?.(i + 1, subjects.length);
      }
    };
    await withLimits(limits, all, (late) => {
      over = true;
      late.catch(() => {});
    });
  }

  explain(subject: Problem | AttentionInputs): Explanation {
    const { problem, device } = this.#read(subject);
    const { order, candidates, refusals, waiting } = this.#routes.find(problem, device);
    const chosen = this.#chosenSoFar(problem, candidates);
    const others = order
      .filter((slot) => slot !== chosen)
      .map((slot) => ({
        backend: slot.name,
        reasons:
          refusals.get(slot) ??
          (waiting.includes(slot) ? [notTried(chosen)] : [this.#whyNot(problem, slot, chosen)]),
      }));
    return explanation(chosen?.name ?? null, others, chosen && this.#why(problem, chosen));
  }

  on<E extends keyof AttentionEvents>(
    event: E,
    listener: (detail: AttentionEvents[E]) => void,
  ): () => void {
    if (!eventNames.includes(event)) {
      const expected = `one of ${eventNames.join(", ")}`;
      throw new InvalidInputError("event", expected, describeValue(event));
    }
    if (typeof listener !== "function") {
      throw new InvalidInputError("listener", "a function", describeValue(listener));
    }
    return this.#listeners.add(event, listener);
  }

  async upload<D extends DType>(
    tensor: HostTensor<D>,
    options?: MemoryOptions,
  ): Promise<DeviceTensor<D> & Disposable> {
    this.#checkAlive();
    const memory = await loadMemory(this.#slots, options, (slot) => this.#load(slot));
    this.#checkAlive();
    const made = await memory.upload(tensor);
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
    if (this.#running > this.#abandoned) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#strategy?.dispose?.();
    await this.#plans.clear();
    const failures: HeedError[] = [];
    for (const slot of this.#slots) {
      try {
        slot.release();
      } catch (thrown) {
        failures.push(asBackendError(slot.name, "disposing it", thrown));
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

  /** The problem of a subject, and the backend whose memory its tensors are in. */
  #read(subject: Problem | AttentionInputs): {
    readonly problem: Problem;
    readonly device: string | null;
  } {
    this.#checkAlive();
    if (isProblem(subject)) return { problem: subject, device: null };
    const bound = bindCall(attention, subject);
    return { problem: bound.problem, device: ownerOf(attention, bound) };
  }

  /** Loads a backend that was not tried yet. Calls that wait for it count as running. */
  async #load(slot: Slot): Promise<void> {
    this.#running += 1;
    try {
      await slot.load();
      this.#changed(slot);
    } finally {
      this.#end(null);
    }
  }

  /** Forgets what was known about problems, after a slot came or went. */
  #changed(slot: Slot): void {
    this.#routes.clear();
    if (slot.state === "lost") void this.#plans.clear(this.#routes.planPrefix(slot));
  }

  async #prepare(problem: Problem, device: string | null): Promise<void> {
    for (;;) {
      const route = await this.#loadedRoute(problem, device);
      const slot = this.#chosenSoFar(problem, route.candidates) ?? route.candidates[0];
      if (slot === undefined) throw new UnsupportedError(reasonsOf(route));
      if ((await this.#test([slot], problem)) === null) return this.#plan(slot, problem);
    }
  }

  /** The route of a problem, once backends were loaded until one runs it. */
  async #loadedRoute(problem: Problem, device: string | null): Promise<Route> {
    for (;;) {
      this.#checkAlive();
      const route = this.#routes.find(problem, device);
      const [next] = route.waiting;
      if (route.candidates.length > 0 || next === undefined) return route;
      await this.#load(next);
    }
  }

  async #plan(slot: ReadySlot, problem: Problem): Promise<void> {
    this.#running += 1;
    const key = this.#routes.planKey(slot, problem);
    const entry = this.#plans.take(key, () => makePlan(slot, problem));
    try {
      await entry.made;
    } finally {
      this.#end(entry);
    }
  }

  /**
   * Runs a bound call. In a steady state, this is written with callbacks: an async function takes
   * three times as many bytes a call.
   *
   * @throws UnsupportedError
   */
  #execute(call: Call): Promise<object> {
    beginCall();
    this.#recovery.retryDue();
    const { bound, device, failed } = call;
    const route = this.#routes.find(bound.problem, device, call.operation);
    const candidates = withoutFailed(route.candidates, failed);
    let slot = candidates[0];
    if (slot === undefined) return this.#loadAndRun(call, route);
    if (!route.told) this.#tell(bound.problem, slot, route);
    if (candidates.length > 1 && this.#strategy?.choose) {
      const chosen = this.#strategy.choose(bound.problem, candidates, true);
      if (chosen === undefined) return this.#measureAndRun(call, candidates);
      slot = chosen;
    }
    this.#running += 1;
    const key = route.planKeys[route.candidates.indexOf(slot)] as string;
    const inOrder = device === null || this.#orders.get(device)?.busy !== true;
    const entry = inOrder ? this.#plans.takeReady(key) : null;
    return entry === null ? this.#planAndRun(call, slot, key) : this.#runReady(call, slot, entry);
  }

  /** @throws UnsupportedError, DeviceLostError if there is no backend left to load */
  #loadAndRun(call: Call, route: Route): Promise<object> {
    const [next] = route.waiting;
    if (next !== undefined) return this.#load(next).then(() => this.#resume(call));
    const { device } = call;
    if (device !== null && this.#slots.some((s) => s.name === device && s.state === "lost")) {
      throw new DeviceLostError(device, "its device is lost, and with it the tensors of this call");
    }
    throw new UnsupportedError(reasonsOf(route));
  }

  /** Goes on with a call after a wait. */
  async #resume(call: Call): Promise<object> {
    this.#checkAlive();
    return this.#execute(call);
  }

  async #measureAndRun(call: Call, candidates: readonly ReadySlot[]): Promise<object> {
    const { operation, bound } = call;
    const { problem } = bound;
    this.#running += 1;
    let slot: ReadySlot | undefined;
    try {
      if ((await this.#test(candidates, problem)) !== null) return this.#chooseAgain(call);
      slot = await this.#strategy?.measure?.(problem, candidates, (candidate) =>
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
    const chosen = slot ?? (candidates[0] as ReadySlot);
    return this.#planAndRun(call, chosen, this.#routes.planKey(chosen, problem));
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
    const untested = slot.test !== null && (await this.#test([slot], call.bound.problem)) !== null;
    if (untested) return this.#chooseAgain(call);
    const entry = this.#plans.take(key, () => makePlan(slot, call.bound.problem));
    try {
      await entry.made;
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
    const { operation, bound, device } = call;
    const { name: backend } = slot;
    const timed =
      steady && device === null && this.#running === 1 && this.#strategy?.saw !== undefined;
    const start = timed ? performance.now() : 0;
    let running: Promise<unknown>;
    try {
      running = startPlan(entry.ready as Plan, bound, call.signal);
    } catch (thrown) {
      running = Promise.reject(thrown);
    }
    return Promise.resolve(running).then(
      (outputs) => {
        if (timed && this.#running === 1) {
          this.#strategy?.saw?.(bound.problem, slot, performance.now() - start);
        }
        this.#end(entry);
        // Spreading into a literal with one more member takes 1.2 µs in Node 20; this takes none of it.
        const result = Object.assign({ backend }, checkOutputs(backend, operation, bound, outputs));
        const turn = turnToAwait();
        return turn === null ? result : turn.then(() => result);
      },
      (thrown: unknown) => {
        this.#end(entry);
        const error = runFailure(backend, operation, bound, thrown);
        return this.#afterFailure(call, slot, error);
      },
    );
  }

  /**
   * Decides about a call that a backend accepted and failed: it runs on another backend where it
   * may, and otherwise throws the error.
   */
  #afterFailure(call: Call, slot: ReadySlot, thrown: unknown): Promise<object> {
    // A call that overlaps the one that showed a loss finds the backend disposed.
    const lost = slot.state === "lost" && isHeedError(thrown, "disposed");
    const recovers = this.#options.recover && isHeedError(thrown) && (lost || isFailure(thrown));
    if (!recovers || call.signal?.aborted) throw thrown;
    this.#recovery.failed(slot, thrown);
    // Tensors in a backend's memory can be computed with by no other backend.
    if (call.device !== null || this.#disposed) throw thrown;
    return this.#resume({ ...call, failed: [...call.failed, slot] }).then(
      (result) => {
        const { backend: to } = result as { readonly backend: string };
        const reasons = [{ code: thrown.code, message: thrown.message }];
        const { problem } = call.bound;
        this.#fallbacks.afterFailure(problem, { backend: slot.name, reasons }, to);
        return result;
      },
      (error: unknown) => {
        throw isHeedError(error, "unsupported") ? thrown : error;
      },
    );
  }

  /** Lets nobody wait for a call, or for making ready for one. */
  #abandon(late: Promise<unknown>): void {
    this.#abandoned += 1;
    const settled = (): void => {
      this.#abandoned -= 1;
    };
    late.then(releaseOutputs, () => {}).then(settled);
    this.#checkIdle();
  }

  /** Ends a call that is counted as running. */
  #end(entry: CachedPlan | null): void {
    if (entry !== null) this.#plans.release(entry);
    this.#running -= 1;
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#onIdle !== null && this.#running <= this.#abandoned) this.#onIdle();
  }

  /** Begins a call anew that is counted as running, before it ends: dispose waits for one of the two. */
  #chooseAgain(call: Call): Promise<object> {
    try {
      return this.#execute(call);
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
  async #test(slots: readonly ReadySlot[], problem: Problem): Promise<SupportReason | null> {
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
      const reason = this.#why(problem, preferred) ?? "the first that can run it";
      this.#listeners.tell("choice", { problem, backend: preferred.name, reason });
    }
  }

  #chosenSoFar(problem: Problem, candidates: readonly ReadySlot[]): ReadySlot | undefined {
    const { choose } = this.#strategy ?? {};
    if (candidates.length < 2 || choose === undefined) return candidates[0];
    return this.#strategy?.choose?.(problem, candidates, false);
  }

  #why(problem: Problem, chosen: Slot): string | undefined {
    return this.#strategy?.why?.(problem, chosen) ?? chosen.orderReason;
  }

  #whyNot(problem: Problem, slot: Slot, chosen: Slot | undefined): SupportReason {
    if (this.#strategy) return this.#strategy.whyNot(problem, slot, chosen);
    const message = `could run it, but comes after ${chosen?.name}`;
    return { code: "lower-priority", message };
  }

  /** The part of this selection that the strategy may use. */
  #control(): StrategyControl {
    const slotOf = (candidate: Candidate): Slot | undefined =>
      this.#slots.find((slot) => slot === candidate);
    return {
      candidates: this.#slots,
      load: async (candidate) => {
        const slot = slotOf(candidate);
        if (slot?.state !== "waiting" || this.#disposed) return;
        await slot.load();
        this.#changed(slot);
      },
      plan: async (candidate, problem) => {
        const slot = slotOf(candidate);
        if (slot === undefined || !isReady(slot) || this.#disposed) return false;
        if (!this.#routes.find(problem, null).candidates.includes(slot)) return false;
        try {
          if ((await this.#test([slot], problem)) !== null) return false;
          await this.#plan(slot, problem);
        } catch {
          // A call would hear of it; until then nobody needs that plan.
          return false;
        }
        return !this.#disposed;
      },
      chose: (problem, { name: backend }, reason) => {
        this.#listeners.tell("choice", { problem, backend, reason });
      },
    };
  }
}

makeDisposable(BackendSelection, ["async"]);

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

function withoutFailed(
  candidates: readonly ReadySlot[],
  failed: readonly Slot[],
): readonly ReadySlot[] {
  return failed.length === 0 ? candidates : candidates.filter((slot) => !failed.includes(slot));
}

/** Releases the outputs of a call that nobody waits for, where they are in a backend's memory. */
function releaseOutputs(outputs: unknown): void {
  for (const output of Object.values((outputs ?? {}) as object)) {
    if (isDeviceTensor(output)) output.dispose();
  }
}

function notTried(chosen: Slot | undefined): SupportReason {
  const message =
    chosen === undefined
      ? "not loaded yet: a call loads it if no other backend runs the problem"
      : `not loaded, since ${chosen.name} runs it`;
  return { code: "not-tried", message };
}
