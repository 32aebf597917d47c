/// <reference lib="esnext.disposable" preserve="true" />
import type { AttentionInputs, AttentionOutputsOf, AttentionReturns } from "../attention/inputs.js";
import type { AttentionProvider, BackendInfo } from "../operation/backend.js";
import type { AnyOperation, InputsOf, OutputsOf } from "../operation/operation.js";
import type { Problem } from "../operation/problem.js";
import type { DType } from "../tensor/dtype.js";
import type { DeviceTensor, HostTensor, Tensor } from "../tensor/tensor.js";
import type { Explanation } from "./explanation.js";
import type { BackendRecommendation } from "./recommendation.js";

export interface AttentionOptions {
  /** Backends in order of preference. */
  readonly backends: readonly AttentionProvider[];
  /**
   * `"order"` (default): the first that is ready and supports the problem. `"fastest"`: the first
   * call of each problem times every one that could, on that call's own inputs, and the fastest
   * runs it from then on. A recommendation, such as the benchmark writes: the order that it gives for
   * the problem, without measuring.
   */
  readonly select?: "order" | "fastest" | BackendRecommendation | undefined;
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
}

/** A backend that was asked for: ready, or unavailable and why. */
export type BackendStatus =
  | { readonly name: string; readonly status: "ready"; readonly info: BackendInfo }
  | {
      readonly name: string;
      readonly status: "unavailable";
      /** Why it is unavailable, in a sentence. */
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

export interface Attention {
  /** Every backend asked for, in order of preference. */
  readonly backends: readonly BackendStatus[];
  /**
   * Computes attention. Calls may overlap. Device follows data: if an input is a device tensor, its
   * backend runs and the outputs stay on its device; otherwise they are host tensors.
   *
   * @throws InvalidInputError, DisposedError before any backend sees the call
   * @throws UnsupportedError with every backend's reasons, if none runs the problem
   */
  run<Query extends HostTensor, const Returns extends AttentionReturns = AttentionReturns>(
    inputs: AttentionInputs<HostTensor, Query, Returns>,
  ): Promise<AttentionResult<HostTensor, Query["dtype"], Returns>>;
  run<Query extends Tensor, const Returns extends AttentionReturns = AttentionReturns>(
    inputs: AttentionInputs<Tensor, Query, Returns>,
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
  ): Promise<OutputsOf<O> & { readonly backend: string }>;
  /**
   * The backend that would run something and, for each other one, the reasons why not.
   *
   * @param subject a call of attention, or a problem of any operation, such as `rotary.describe` gives
   */
  explain(subject: Problem | AttentionInputs): Explanation;
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
   * Releases plans and backends once the runs under way are done, which is when it resolves. Later
   * calls throw `DisposedError`.
   *
   * @throws BackendError (rejects) naming a backend that failed, after all others are released
   */
  dispose(): Promise<void>;
  /** Calls {@link dispose}, at the end of the scope of an `await using`. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}
