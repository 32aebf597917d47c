/// <reference lib="esnext.disposable" preserve="true" />
import type { AttentionInputs, AttentionReturns } from "../attention/inputs.js";
import { attention } from "../attention/operation.js";
import { asBackendError } from "../backend-error.js";
import { makeDisposable, withDispose } from "../disposable.js";
import {
  describeValue,
  type HeedError,
  InvalidInputError,
  messageOf,
  type SupportReason,
  UnsupportedError,
} from "../errors.js";
import type { PlanOptions } from "../operation/backend.js";
import type { AnyOperation, InputsOf, OutputsOf } from "../operation/operation.js";
import { isProblem, type Problem } from "../operation/problem.js";
import { checkNames, isList } from "../options.js";
import type { DeviceMemory } from "../tensor/device.js";
import type { DType } from "../tensor/dtype.js";
import type { DeviceTensor, HostTensor, Tensor } from "../tensor/tensor.js";
import { Activity, releaseOutputs } from "./activity.js";
import type {
  Attention,
  AttentionResult,
  BackendStatus,
  CallOptions,
  MemoryOptions,
  PrepareOptions,
  WarmUpOptions,
} from "./attention.js";
import { bindCall } from "./bind-call.js";
import { type AttentionEvents, eventNames, Listeners } from "./events.js";
import { type Call, Execution } from "./execution.js";
import { type Explanation, explanation } from "./explanation.js";
import { Fallbacks } from "./fallbacks.js";
import {
  checkLimits,
  checkPatience,
  type DisposeOptions,
  readLimits,
  withLimits,
} from "./limits.js";
import { loadMemory, memoryOf } from "./memory.js";
import { PlanCache } from "./plan-cache.js";
import { readPrepareOptions } from "./prepare-options.js";
import { Routes, reasonsOf } from "./routes.js";
import { newOutputs, ownerOf } from "./run-plan.js";
import { isReady, type ReadySlot, type Slot } from "./slot.js";
import type { Candidate, Strategy, StrategyControl } from "./strategy.js";
import { Warnings } from "./warnings.js";

export interface SelectionOptions {
  /** null: the first that can run a problem. */
  readonly strategy: Strategy | null;
  readonly fallback: "warn" | "error" | "silent";
  readonly planCacheSize: number;
  readonly recover: boolean;
}

const noSlots: readonly Slot[] = [];

const warmUpNames: ReadonlySet<string> = new Set(["signal", "timeout", "onProgress"]);

/** The attention that `createAttention` returns: chooses a backend for each call, keeps plans, runs them. */
export class BackendSelection implements Attention {
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;
  readonly #slots: readonly Slot[];
  readonly #strategy: Strategy | null;
  readonly #plans: PlanCache;
  readonly #listeners: Listeners;
  readonly #routes: Routes;
  readonly #activity = new Activity();
  readonly #execution: Execution;
  #disposed: Promise<void> | null = null;

  constructor(slots: readonly Slot[], options: SelectionOptions) {
    this.#slots = slots;
    this.#strategy = options.strategy;
    this.#routes = new Routes(slots, options.strategy);
    const warnings = new Warnings();
    this.#plans = new PlanCache(options.planCacheSize, (thrown) => {
      warnings.warn("dispose", `heed: disposing a plan failed: ${messageOf(thrown)}`);
    });
    this.#listeners = new Listeners((thrown) => {
      warnings.warn("listener", `heed: a listener failed: ${messageOf(thrown)}`);
    });
    this.#execution = new Execution({
      slots,
      strategy: options.strategy,
      recover: options.recover,
      plans: this.#plans,
      routes: this.#routes,
      listeners: this.#listeners,
      fallbacks: new Fallbacks(options.fallback, this.#listeners, warnings),
      activity: this.#activity,
    });
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
      this.#activity.checkOpen();
      const bound = bindCall(operation, inputs);
      const device = ownerOf(operation, bound);
      const call: Call = { operation, bound, device, failed: noSlots, signal: undefined };
      const result =
        options === undefined ? this.#execution.execute(call) : this.#limited(call, options);
      return result as Promise<OutputsOf<O> & { readonly backend: string }>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #limited(call: Call, options: CallOptions): Promise<object> {
    const stop = new AbortController();
    return withLimits(
      checkLimits(options),
      () => this.#execution.execute({ ...call, signal: stop.signal }),
      (late) => {
        stop.abort();
        this.#activity.abandon(late.then((outputs) => newOutputs(call.bound, outputs)));
      },
    );
  }

  async prepare(
    subject: Problem | AttentionInputs,
    options?: PrepareOptions,
  ): Promise<Explanation> {
    const { budget, limits } = readPrepareOptions(options);
    const { problem, device, inputs } = this.#read(subject);
    const tune: PlanOptions | undefined =
      budget === null ? undefined : { tune: { budget, ...(inputs !== null && { inputs }) } };
    await withLimits(
      limits,
      () => this.#prepare(problem, device, tune),
      (late) => this.#activity.abandon(late),
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
    await withLimits(limits, all, () => {
      over = true;
    });
  }

  explain(subject: Problem | AttentionInputs): Explanation {
    const { problem, device } = this.#read(subject);
    const { order, candidates, refusals, waiting, next } = this.#routes.find(problem, device);
    const chosen = next === null ? this.#chosenSoFar(problem, candidates) : undefined;
    const others = order
      .filter((slot) => slot !== chosen)
      .map((slot) => ({
        backend: slot.name,
        reasons:
          refusals.get(slot) ??
          (waiting.includes(slot) ? [notTried(chosen)] : [this.#whyNot(problem, slot, chosen)]),
      }));
    return explanation(
      chosen?.name ?? null,
      others,
      chosen && this.#execution.why(problem, chosen),
      chosen && notesOf(chosen, problem),
    );
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
    this.#activity.checkOpen();
    const memory = await loadMemory(this.#slots, options, (slot) => this.#execution.load(slot));
    this.#activity.checkOpen();
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

  async dispose(options?: DisposeOptions): Promise<void> {
    const patience = checkPatience(options);
    this.#disposed ??= this.#release(patience);
    await this.#disposed;
  }

  async #release(patience: number): Promise<void> {
    await this.#activity.close(patience);
    await this.#strategy?.dispose?.();
    this.#plans.dispose();
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

  #memory(options: MemoryOptions | undefined): DeviceMemory {
    this.#activity.checkOpen();
    return memoryOf(this.#slots, options);
  }

  /** The problem of a subject, and the backend whose memory its tensors are in. */
  #read(subject: Problem | AttentionInputs): {
    readonly problem: Problem;
    readonly device: string | null;
    /** null for a problem. */
    readonly inputs: unknown;
  } {
    this.#activity.checkOpen();
    if (isProblem(subject)) return { problem: subject, device: null, inputs: null };
    const bound = bindCall(attention, subject);
    return { problem: bound.problem, device: ownerOf(attention, bound), inputs: bound.inputs };
  }

  async #prepare(
    problem: Problem,
    device: string | null,
    options: PlanOptions | undefined,
  ): Promise<void> {
    for (;;) {
      const route = await this.#execution.loadedRoute(problem, device);
      const slot = this.#chosenSoFar(problem, route.candidates) ?? route.candidates[0];
      if (slot === undefined) throw new UnsupportedError(reasonsOf(route));
      if ((await this.#execution.test([slot], problem)) === null)
        return this.#execution.plan(slot, problem, options);
    }
  }

  #chosenSoFar(problem: Problem, candidates: readonly ReadySlot[]): ReadySlot | undefined {
    const strategy = this.#strategy;
    if (candidates.length < 2 || strategy?.choose === undefined) return candidates[0];
    return strategy.choose(problem, candidates, false);
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
        if (slot?.state !== "waiting" || this.#activity.closed) return;
        await slot.load();
        this.#execution.changed(slot);
      },
      plan: async (candidate, problem) => {
        const slot = slotOf(candidate);
        if (slot === undefined || !isReady(slot) || this.#activity.closed) return false;
        if (!this.#routes.find(problem, null).candidates.includes(slot)) return false;
        try {
          if ((await this.#execution.test([slot], problem)) !== null) return false;
          const making = this.#execution.plan(slot, problem);
          // Dispose does not wait for it.
          this.#activity.abandon(making);
          await making;
        } catch {
          // A call would hear of it; until then nobody needs that plan.
          return false;
        }
        return !this.#activity.closed;
      },
      chose: (problem, { name: backend }, reason) => {
        this.#listeners.tell("choice", { problem, backend, reason });
      },
    };
  }
}

makeDisposable(BackendSelection, ["async"]);

/** How a backend would compute a problem, as far as it says. */
function notesOf({ backend }: Slot, problem: Problem): readonly string[] {
  const support = backend?.supports(problem);
  return (support?.ok === true && support.notes) || [];
}

function notTried(chosen: Slot | undefined): SupportReason {
  const message =
    chosen === undefined
      ? "not loaded yet: a call loads it if no other backend runs the problem"
      : `not loaded, since ${chosen.name} runs it`;
  return { code: "not-tried", message };
}
