import type { AttentionInputs, AttentionOutputs } from "../attention/inputs.js";
import {
  type BackendReasons,
  BackendUnavailableError,
  describeValue,
  formatReasons,
  InvalidInputError,
} from "../errors.js";
import type { AttentionBackend, AttentionProvider, BackendInfo } from "../operation/backend.js";
import type { AnyOperation, InputsOf, OutputsOf } from "../operation/operation.js";
import type { Problem } from "../operation/problem.js";
import type { DType } from "../tensor/dtype.js";
import type { DeviceTensor, HostTensor, Tensor } from "../tensor/tensor.js";
import { type BackendRecommendation, checkRecommendation } from "./recommendation.js";
import { BackendSelection, type SelectionOptions } from "./selection.js";
import { selfTest } from "./self-test.js";
import { readySlot, type Slot } from "./slot.js";

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
   * What happens where a backend earlier in the order is unavailable or refuses a problem, and a
   * later one would run it: `"warn"` (default) says so once on the console, `"error"` throws
   * ({@link createAttention} for an unavailable backend, `run` for a refusal), `"silent"` does
   * neither.
   */
  readonly fallback?: "warn" | "error" | "silent" | undefined;
  /** Compare each backend with the reference on tiny problems when it loads. Default true. */
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
      readonly reason: string;
      readonly hint?: string;
    };

/** Which backend runs a problem, and why the others do not. */
export interface Explanation {
  /** The backend that would run it; `null` if none can, or until `"fastest"` has measured. */
  readonly backend: string | null;
  /** Every other backend, in order of preference, with its reasons. */
  readonly others: readonly BackendReasons[];
}

/** The outputs, and which backend computed them. */
export interface AttentionResult<T extends Tensor = Tensor> extends AttentionOutputs<T> {
  readonly backend: string;
}

/** Which backend's memory to use. */
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
  run(inputs: AttentionInputs<HostTensor>): Promise<AttentionResult<HostTensor>>;
  run(inputs: AttentionInputs): Promise<AttentionResult>;
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
  upload(tensor: HostTensor, options?: MemoryOptions): Promise<DeviceTensor>;
  /**
   * A new row-major tensor of zeros in a backend's own memory, for instance a cache to be filled. It
   * belongs to the caller.
   *
   * @throws InvalidInputError, UnsupportedError, OutOfMemoryError; see {@link upload}
   */
  allocate(dtype: DType, shape: readonly number[], options?: MemoryOptions): DeviceTensor;
  /**
   * Releases plans and backends once the runs under way are done, which is when it resolves. Later
   * calls throw `DisposedError`.
   */
  dispose(): Promise<void>;
}

/**
 * Loads backends, in parallel, and tests each.
 *
 * @throws InvalidInputError naming the option at fault
 * @throws BackendUnavailableError if no backend is ready, or with `fallback: "error"` any is not
 */
export async function createAttention(options: AttentionOptions): Promise<Attention> {
  const checked = checkOptions(options);
  const slots = await Promise.all(
    options.backends.map((provider) => loadBackend(provider, checked.selfTest)),
  );
  const missing = slots.filter((slot) => slot.backend === null);
  if (missing.length === slots.length || (checked.fallback === "error" && missing.length > 0)) {
    for (const slot of slots) slot.backend?.dispose();
    throw new BackendUnavailableError(
      `${missing.length === slots.length ? "no backend is available" : 'a backend is unavailable, and fallback is "error"'}\n${formatReasons(
        missing.map((slot) => ({ backend: slot.name, reasons: slot.reasons })),
      )}`,
    );
  }
  return new BackendSelection(slots, checked);
}

interface CheckedOptions extends SelectionOptions {
  readonly selfTest: boolean;
}

function checkOptions(options: AttentionOptions): CheckedOptions {
  const { backends, select = "order", fallback = "warn", planCacheSize = 64 } = options ?? {};
  const wrong = (argument: string, expected: string, value: unknown): never => {
    throw new InvalidInputError(argument, expected, describeValue(value));
  };
  if (!Array.isArray(backends) || backends.length === 0) {
    wrong("backends", "at least one provider, such as js()", backends);
  }
  for (const [i, provider] of backends.entries()) {
    if (typeof provider?.name !== "string" || typeof provider.load !== "function") {
      wrong(`backends[${i}]`, "a provider, such as js()", provider);
    }
  }
  if (typeof select === "object" && select !== null) checkRecommendation("select", select);
  else if (select !== "order" && select !== "fastest") {
    wrong("select", '"order", "fastest" or a recommendation', select);
  }
  if (fallback !== "warn" && fallback !== "error" && fallback !== "silent") {
    wrong("fallback", '"warn", "error" or "silent"', fallback);
  }
  if (options.selfTest !== undefined && typeof options.selfTest !== "boolean") {
    wrong("selfTest", "a boolean", options.selfTest);
  }
  if (!Number.isInteger(planCacheSize) || planCacheSize < 0) {
    wrong("planCacheSize", "an integer ≥ 0", planCacheSize);
  }
  return { select, fallback, selfTest: options.selfTest ?? true, planCacheSize };
}

async function loadBackend(provider: AttentionProvider, test: boolean): Promise<Slot> {
  const { name } = provider;
  let backend: AttentionBackend | null = null;
  try {
    backend = await provider.load();
    if (test) await selfTest(backend);
    return readySlot(name, backend);
  } catch (error) {
    backend?.dispose();
    const known = error instanceof BackendUnavailableError;
    const message = known
      ? error.reason
      : `failed to load: ${error instanceof Error ? error.message : String(error)}`;
    const hint = known ? error.hint : undefined;
    const reason = { code: "unavailable", message, ...(hint !== undefined && { hint }) };
    return { name, backend: null, reasons: [reason] };
  }
}
