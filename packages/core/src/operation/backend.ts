/// <reference lib="esnext.disposable" preserve="true" />
import type { AttentionInputs, AttentionOutputs } from "../attention/inputs.js";
import type { AttentionProblem } from "../attention/problem.js";
import type { SupportReason } from "../errors.js";
import type { DeviceMemory } from "../tensor/device.js";
import type { DeviceTensor, HostTensor } from "../tensor/tensor.js";
import type { AbortSignalLike } from "./abort.js";
import type { Bound } from "./operation.js";
import type { Problem } from "./problem.js";

/**
 * A name and a way to load a backend: what `webgpu()`, `wasm()` and `js()` return. Making one is
 * cheap and does nothing; it belongs to the caller and can be loaded any number of times, each time
 * giving a backend of its own.
 */
export interface Provider {
  /** The backend's name, e.g. `"js"`. */
  readonly name: string;
  /** Why it stands at its place in an order of preference, in a sentence that explanations quote. */
  readonly orderReason?: string | undefined;
  /** @throws BackendUnavailableError (rejects) with the reason, where it cannot work */
  load(): Promise<Backend>;
}

/**
 * A loaded backend: computes one or more operations. The caller disposes it. `defineBackend` makes
 * one from its kernels; a class of one's own has to keep every promise written here.
 */
export interface Backend {
  /** The provider's name. Device tensors carry it. */
  readonly name: string;
  readonly info: BackendInfo;
  /**
   * Declares what the backend can do: selection, tests, tables and benchmarks follow it. Cheap, and pure
   * but for notes, which may say what was measured since. A problem that it accepts must run. A problem of
   * an operation that the backend lacks is refused with the code `"operation"`.
   *
   * @throws InvalidInputError for what is no problem
   */
  supports(problem: Problem): Support;
  /**
   * Prepares for a problem: chooses a kernel and its tiles, compiles. Core keeps plans and reuses
   * them for every call with the same problem.
   *
   * @throws UnsupportedError with the reasons of `supports`, where it refuses the problem
   * @throws InvalidInputError for what is no problem, DisposedError after `dispose`
   */
  plan<Inputs, Outputs>(
    problem: Problem<Inputs, Outputs>,
    options?: PlanOptions,
  ): Plan<Inputs, Outputs> | Promise<Plan<Inputs, Outputs>>;
  /** Memory of its own, where it has any; without it, the backend computes on host tensors alone. */
  readonly memory?: DeviceMemory | undefined;
  /** The same as `memory.upload`. */
  upload?(tensor: HostTensor): Promise<DeviceTensor>;
  /** Releases everything but device tensors handed out. Later calls throw `DisposedError`. */
  dispose(): void;
  /** Calls {@link dispose}, at the end of the scope of a `using`. `defineBackend` adds it. */
  readonly [Symbol.dispose]?: () => void;
}

/** The part of a {@link Backend} that the operation attention needs. */
export interface AttentionBackend extends Omit<Backend, "supports" | "plan"> {
  supports(problem: AttentionProblem): Support;
  plan(problem: AttentionProblem, options?: PlanOptions): AttentionPlan | Promise<AttentionPlan>;
}

/** A {@link Provider} of backends that compute attention. */
export interface AttentionProvider {
  readonly name: string;
  readonly orderReason?: string | undefined;
  load(): Promise<AttentionBackend>;
}

/** How a plan is made. */
export interface PlanOptions {
  /**
   * Measure what the backend would otherwise choose by rule, before the plan is made, and remember it. A backend that
   * has nothing to measure ignores it.
   */
  readonly tune?: TuneRequest | undefined;
}

/** A measurement of a backend's choices for a problem. */
export interface TuneRequest {
  /** Milliseconds of measuring, beside those of a plan and a first run without it. */
  readonly budget: number;
  /** A call of the problem, if there is one: its lengths and other small data are measured with. */
  readonly inputs?: unknown;
}

export type Support =
  | {
      readonly ok: true;
      /** How it would be computed, where there is something worth knowing: that a measurement decided. */
      readonly notes?: readonly string[];
    }
  | { readonly ok: false; readonly reasons: readonly SupportReason[] };

/** The runtime and device that a backend runs on, and every choice that it made by itself. */
export interface BackendInfo {
  /** The backend's runtime, e.g. `"JavaScript"`, `"WebAssembly"`. */
  readonly runtime: string;
  /**
   * The backend's device: an adapter's name, or exactly `"CPU"`, which promises the arithmetic of
   * IEEE 754. Any other device may assume that no NaN or infinity exists, and flush subnormal numbers.
   */
  readonly device: string;
  /** Instruction sets or GPU features in use, e.g. `"simd128"`, `"shader-f16"`. */
  readonly features: readonly string[];
  /** Threads that compute, or 1 where the notion does not apply. */
  readonly threads: number;
  /** Choices worth knowing, e.g. why fewer threads than asked for. */
  readonly notes?: readonly string[];
  /**
   * Measurements of this device, as JSON, to be stored and given to a later backend: `webgpu({ tuning })`. Left
   * out where nothing was.
   */
  readonly tuning?: object;
}

/** A problem made ready to run. */
export interface Plan<Inputs = unknown, Outputs = unknown> {
  readonly description: PlanDescription;
  /**
   * Computes. May be called again before an earlier call is done. The inputs are a call that
   * `describe` of the operation turned into the plan's problem. Tensors are not modified, but for
   * those that the operation updates in place: they are returned, the very same. All other outputs are
   * new tensors, row-major, and belong to the caller; they are device tensors if any input is, which
   * must then be this backend's own, and host tensors otherwise.
   *
   * @throws InvalidInputError for a device tensor of another backend
   * @throws DisposedError after `dispose`
   * @throws UnsupportedError (rejects) where the backend computes the problem on tensors in its own memory alone,
   *   and these are not
   */
  run(inputs: Inputs): Promise<Outputs>;
  /**
   * The same on a call that is bound already, so that nothing is resolved twice. Core calls it where
   * there is one.
   *
   * @param signal is aborted when nobody waits for the outputs any more; a plan may then stop, and
   *   settles as it likes
   */
  runBound?(bound: Bound, signal?: AbortSignalLike): Promise<Outputs>;
  /** Releases what the plan holds. Core calls it when no run is under way. */
  dispose(): void;
  /** Calls {@link dispose}, at the end of the scope of a `using`. `defineBackend` adds it. */
  readonly [Symbol.dispose]?: () => void;
}

/** A plan of the operation attention. */
export type AttentionPlan = Plan<AttentionInputs, AttentionOutputs>;

/** Sizes of the tile of work that a kernel keeps close to its arithmetic units, in elements. */
export interface Tiles {
  /** Query rows (or rows of the only input) that are worked on together. */
  readonly queries?: number;
  /** Keys that are worked on together. */
  readonly keys?: number;
  /** Columns of values or outputs that are worked on together, if not all. */
  readonly columns?: number;
}

/** The kernel, tile sizes and memory that a plan has decided on; known before it runs. */
export interface PlanDescription {
  /** The kernel's name, in the grammar `<operation>-<kernel>[-<dtype>][-<tile>][-<variant>]`. */
  readonly kernel: string;
  /** Tile sizes; empty where there are none. */
  readonly tiles: Tiles;
  /** Parts into which keys are split and merged afterwards; left out or 1: not split. */
  readonly splits?: number;
  /** Bytes that a run needs beside inputs and outputs. */
  readonly workspaceBytes: number;
  /** Kernel launches of a run; 1 for a plain function call. */
  readonly dispatches: number;
  /** Decisions worth knowing, e.g. that an input's layout is copied on the device first. */
  readonly notes?: readonly string[];
}
