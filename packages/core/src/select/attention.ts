/// <reference lib="esnext.disposable" preserve="true" />
import type { AttentionInputs, AttentionOutputsOf, AttentionReturns } from "../attention/inputs.js";
import type { AttentionProvider, BackendInfo } from "../operation/backend.js";
import type { AnyOperation, InputsOf, OutputsOf } from "../operation/operation.js";
import type { Problem } from "../operation/problem.js";
import type { DType } from "../tensor/dtype.js";
import type { DeviceTensor, HostTensor, Tensor } from "../tensor/tensor.js";
import type { AttentionEvents } from "./events.js";
import type { Explanation } from "./explanation.js";
import type { DisposeOptions, Limits } from "./limits.js";
import type { BackendRecommendation } from "./recommendation.js";

export interface AttentionOptions {
  /** Backends in order of preference. */
  readonly backends: readonly AttentionProvider[];
  /**
   * `"order"` (default): the first that is ready and supports the problem. `"fastest"`: the first
   * call of each problem times every one that could, on that call's own inputs, and the fastest
   * runs it from then on. One that is far behind after two runs gets no more, and after two seconds, or the `budget` in
   * milliseconds, no further run begins: those that were not measured by then count as slower. A recommendation, such as the benchmark writes: the order that it gives for
   * the problem, without measuring.
   */
  readonly select?:
    | "order"
    | "fastest"
    | { readonly fastest: { readonly budget?: number | undefined } }
    | BackendRecommendation
    | undefined;
  /**
   * Reaction to a fallback, when a backend earlier in the order is unavailable or refuses a problem and
   * a later one would run it: `"warn"` (default) says so once on the console, `"error"` throws
   * ({@link createAttention} for an unavailable backend, `run` for a refusal), `"silent"` does
   * neither.
   */
  readonly fallback?: "warn" | "error" | "silent" | undefined;
  /**
   * Compare each backend with results of the reference on tiny problems of attention: in float32 when
   * it loads, and in another dtype before the first call that has it. A backend that fails the first
   * is unavailable; one that fails a later one does not run calls with that dtype. Default true.
   */
  readonly selfTest?: boolean | undefined;
  /** Plans kept; the least recently used goes first. Default 64. */
  readonly planCacheSize?: number | undefined;
  /**
   * `"all"` (default): every backend is loaded at once. `"on-demand"`: one after the other until one is
   * ready; the next ones only when a call comes that those loaded refuse or fail.
   */
  readonly load?: "all" | "on-demand" | undefined;
  /**
   * Whether a call on host tensors that a backend accepted and then failed (its device is lost, its
   * memory is used up, it throws) runs again on the next backend. A backend whose device is lost, or that
   * fails three times, is given up, and loaded again, at growing intervals, when later calls come.
   * Default false: the error goes to the caller. `fallback: "error"` excludes it.
   */
  readonly recover?: boolean | undefined;
  /**
   * Bytes that a call may take beside inputs and outputs, as the plan says that a backend makes for it. A call
   * of attention that needs more is computed in parts: batch entries, heads, query rows, or ranges of keys
   * whose results are merged. One that no division makes small enough fails on that backend with an
   * `OutOfMemoryError`. Default: no limit. Backends have limits of their own, and calls that exceed those are
   * divided in the same way before a backend refuses them.
   */
  readonly maxWorkspaceBytes?: number | undefined;
  /** Ends {@link createAttention} when it is aborted; backends are released as soon as they are there. */
  readonly signal?: Limits["signal"];
  /** Milliseconds after which {@link createAttention} rejects with a `"TimeoutError"`. */
  readonly timeout?: Limits["timeout"];
}

/**
 * A backend that was asked for. `"waiting"`: not loaded yet, since no call needed it. `"lost"`: it was
 * ready, and is going to be loaded again.
 */
export type BackendStatus =
  | { readonly name: string; readonly status: "ready"; readonly info: BackendInfo }
  | {
      readonly name: string;
      readonly status: "waiting" | "unavailable" | "lost";
      /** Why it is not ready, in a sentence. */
      readonly reason: string;
      /** A way to make it available, in words. */
      readonly hint?: string;
      /**
       * The value that loading or testing the backend threw, as it came: in most cases a
       * `BackendUnavailableError`, whose own `cause` may say more. Left out where nothing was thrown.
       */
      readonly cause?: unknown;
    };

/** The outputs, and which backend computed them. */
export type AttentionResult<
  T extends Tensor = Tensor,
  D extends DType = DType,
  Returns extends AttentionReturns = AttentionReturns,
> = AttentionOutputsOf<T, D, Returns> & { readonly backend: string };

/** Options that choose the backend whose memory is used. */
export interface MemoryOptions {
  /** Name of a backend. Default: the first ready one that has memory of its own. */
  readonly backend?: string | undefined;
}

/**
 * Limits of one call. What was given up goes on in the backend, whose results are released when they
 * come: a backend that computes on the calling thread cannot be interrupted, and lets no signal be seen.
 */
export type CallOptions = Limits;

/** Options of {@link Attention.prepare}. */
export interface PrepareOptions extends Limits {
  /**
   * Whether the backend that runs the problem measures, on its device, what it otherwise chooses by rule (kernels and
   * their sizes), checks each result, and uses the fastest from then on for all problems with the same sizes and
   * lengths between the same powers of two. `budget` is in milliseconds beside those of a first call, > 0, and 1000
   * by default. Nothing else should run meanwhile. `info.tuning` of the backend then has the outcome, for later backends. Backends without
   * such choices ignore it. Default false.
   */
  readonly tune?: boolean | { readonly budget?: number | undefined } | undefined;
}

/** Options of {@link Attention.warmUp}. */
export interface WarmUpOptions extends Limits {
  /** Called after each call that is ready, with how many are. */
  readonly onProgress?: ((done: number, all: number) => void) | undefined;
}

export interface Attention {
  /** Every backend asked for, in order of preference, as it is now. */
  readonly backends: readonly BackendStatus[];
  /**
   * Computes attention. Calls may overlap. Device follows data: if an input is a device tensor, its
   * backend runs and the outputs stay on its device; otherwise they are host tensors.
   *
   * @throws InvalidInputError, DisposedError before any backend sees the call
   * @throws UnsupportedError with every backend's reasons, if none runs the problem
   * @throws the signal's reason, or a `DOMException` named `"TimeoutError"`, when a limit is reached
   */
  run<Query extends HostTensor, const Returns extends AttentionReturns = AttentionReturns>(
    inputs: AttentionInputs<HostTensor, Query, Returns>,
    options?: CallOptions,
  ): Promise<AttentionResult<HostTensor, Query["dtype"], Returns>>;
  run<Query extends Tensor, const Returns extends AttentionReturns = AttentionReturns>(
    inputs: AttentionInputs<Tensor, Query, Returns>,
    options?: CallOptions,
  ): Promise<AttentionResult<Tensor, Query["dtype"], Returns>>;
  /**
   * Computes any operation under the same choice, explanation and fallback as {@link run}, which is
   * short for applying `attention`.
   *
   * @throws what {@link run} throws
   */
  apply<O extends AnyOperation>(
    operation: O,
    inputs: InputsOf<O>,
    options?: CallOptions,
  ): Promise<OutputsOf<O> & { readonly backend: string }>;
  /**
   * Makes ready for a problem what its first call would wait for: loads the backend that runs it,
   * chooses and compiles kernels.
   *
   * @param subject a call of attention, or a problem of any operation
   * @param options with `tune`, kernels are measured on the device first
   * @returns the explanation of what will run it
   * @throws UnsupportedError if no backend runs it
   */
  prepare(subject: Problem | AttentionInputs, options?: PrepareOptions): Promise<Explanation>;
  /**
   * {@link prepare} for several subjects, one after the other. Those that are calls also run once,
   * since engines and drivers compile some things only then; the results are dropped.
   */
  warmUp(subjects: readonly (Problem | AttentionInputs)[], options?: WarmUpOptions): Promise<void>;
  /**
   * The backend that would run something and, for each other one, the reasons why not.
   *
   * @param subject a call of attention, or a problem of any operation, such as `rotary.describe` gives
   */
  explain(subject: Problem | AttentionInputs): Explanation;
  /**
   * Calls a listener whenever an event happens.
   *
   * @returns a function that ends it
   * @throws InvalidInputError for an event that there is not
   */
  on<E extends keyof AttentionEvents>(
    event: E,
    listener: (detail: AttentionEvents[E]) => void,
  ): () => void;
  /**
   * Copies a tensor into a backend's own memory, for calls that repeat it. It belongs to the caller,
   * who disposes it, before or after the attention.
   *
   * @throws InvalidInputError (rejects) for a malformed tensor or a backend that was not asked for
   * @throws UnsupportedError (rejects) if the backend, or every one, is unavailable or has no memory
   */
  upload<D extends DType>(
    tensor: HostTensor<D>,
    options?: MemoryOptions,
  ): Promise<DeviceTensor<D> & Disposable>;
  /**
   * A new row-major tensor of zeros in a backend's own memory, for instance a cache to be filled. It
   * belongs to the caller.
   *
   * @throws InvalidInputError, UnsupportedError, OutOfMemoryError; see {@link upload}
   */
  allocate<D extends DType>(
    dtype: D,
    shape: readonly number[],
    options?: MemoryOptions,
  ): DeviceTensor<D> & Disposable;
  /**
   * Releases plans and backends once the runs under way are done, which is when it resolves; runs that
   * a signal or a timeout ended are not waited for, and no run for longer than the timeout says. Later
   * calls throw `DisposedError`.
   *
   * @throws BackendError (rejects) naming a backend that failed, after all others are released
   * @throws InvalidInputError (rejects) for options that are malformed; nothing is released then
   */
  dispose(options?: DisposeOptions): Promise<void>;
  /** Calls {@link dispose}, at the end of the scope of an `await using`. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}
