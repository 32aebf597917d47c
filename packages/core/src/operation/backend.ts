import type { AttentionInputs, AttentionOutputs } from "../attention/inputs.js";
import type { AttentionProblem } from "../attention/problem.js";
import type { SupportReason } from "../errors.js";
import type { DeviceTensor, HostTensor } from "../tensor/tensor.js";

/**
 * What `webgpu()`, `wasm()` and `js()` return: a name and a way to load. Making one is cheap and
 * does nothing; it belongs to the caller and can be loaded any number of times, each time giving a
 * backend of its own.
 */
export interface AttentionProvider {
  /** The backend's name, e.g. `"js"`. */
  readonly name: string;
  /** @throws BackendUnavailableError (rejects) with the reason, where it cannot work */
  load(): Promise<AttentionBackend>;
}

/** One way to compute attention, loaded and ready. The caller disposes it. */
export interface AttentionBackend {
  /** As the provider's. Device tensors carry it. */
  readonly name: string;
  readonly info: BackendInfo;
  /**
   * The one declaration of what the backend can do: it drives selection, tests, docs and benchmarks.
   * Pure and cheap. A problem that it accepts must run.
   */
  supports(problem: AttentionProblem): Support;
  /**
   * Prepares for a problem: chooses a kernel and its tiles, compiles. Core keeps plans and reuses
   * them for every call with the same problem.
   *
   * @throws UnsupportedError with the reasons of `supports`, where it refuses the problem
   */
  plan(problem: AttentionProblem): AttentionPlan | Promise<AttentionPlan>;
  /** Copies a tensor into the backend's memory. The tensor returned belongs to the caller. */
  upload?(tensor: HostTensor): Promise<DeviceTensor>;
  /** Releases everything but device tensors handed out. Later calls throw `DisposedError`. */
  dispose(): void;
}

export type Support =
  | { readonly ok: true }
  | { readonly ok: false; readonly reasons: readonly SupportReason[] };

/** What a backend runs on; everything that it chose by itself is told here. */
export interface BackendInfo {
  /** What executes it, e.g. `"JavaScript"`, `"WebAssembly"`. */
  readonly runtime: string;
  /**
   * What it executes on: an adapter's name, or exactly `"CPU"`, which promises the arithmetic of
   * IEEE 754. Anything else may assume that no NaN or infinity exists, and flush subnormal numbers.
   */
  readonly device: string;
  /** Instruction sets or GPU features in use, e.g. `"simd128"`, `"shader-f16"`. */
  readonly features: readonly string[];
  /** Threads that compute, or 1 where the notion does not apply. */
  readonly threads: number;
  /** Choices worth knowing, e.g. why fewer threads than asked for. */
  readonly notes?: readonly string[];
}

/** A problem made ready to run. */
export interface AttentionPlan {
  readonly description: PlanDescription;
  /**
   * Computes. May be called again before an earlier call is done. The inputs are a call that
   * `describeProblem` turned into the plan's problem, are not modified, and are not kept. Outputs
   * are new tensors, row-major, and belong to the caller; they are device tensors if any input is,
   * which must then be this backend's own, and host tensors otherwise.
   *
   * @throws InvalidInputError for a device tensor of another backend
   * @throws DisposedError after `dispose`
   */
  run(inputs: AttentionInputs): Promise<AttentionOutputs>;
  /** Releases what the plan holds. Core calls it when no run is under way. */
  dispose(): void;
}

/** What a plan decided, and needs, before it runs. */
export interface PlanDescription {
  /** The kernel's name. */
  readonly kernel: string;
  /** Tile sizes by name, e.g. `{ query: 64, key: 32 }`; empty where there are none. */
  readonly tiles: Readonly<Record<string, number>>;
  /** Bytes that a run needs beside inputs and outputs. */
  readonly workspaceBytes: number;
  /** Kernel launches of a run; 1 for a plain function call. */
  readonly dispatches: number;
}
