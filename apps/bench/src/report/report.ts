import type { BackendInfo, FloatDType, SupportReason } from "@heed/core";
import type { InputPlacement } from "../contenders/contender.js";
import type { CaseSizes, CaseTiles } from "../operations/operation.js";
import type { LaunchSamples, PairedRatio, TimingSummary } from "../statistics.js";
import type { Series, Suite } from "../workloads/workload.js";

/** Raised when a reader of older files would misunderstand newer ones. */
export const reportVersion = 2;

/** Everything that a run of the benchmark found: what the JSON file holds. */
export interface BenchReport {
  readonly format: "heed-bench";
  readonly version: typeof reportVersion;
  /** The environments that contenders were measured in: one, or several if reports were merged. */
  readonly environments: readonly Environment[];
  readonly options: ReportOptions;
  readonly contenders: readonly ContenderReport[];
  readonly cases: readonly CaseReport[];
  /** Whether it was stopped before every case was done. */
  readonly interrupted?: boolean | undefined;
}

/** A runtime on a machine. */
export interface Environment {
  /** Tells it from the report's others, e.g. `"node"`, `"chromium"`. */
  readonly name: string;
  /** ISO 8601, when the run began. */
  readonly date: string;
  /** Versions by name, e.g. `node`, `v8`. */
  readonly versions: Readonly<Record<string, string>>;
  /** As the operating system names it; null where the runtime does not tell. */
  readonly cpu: string | null;
  readonly cores: number;
  readonly platform: string;
  /** Bytes; null where the runtime does not tell. */
  readonly memory: number | null;
  /** Limitations of the environment that affect measurements, e.g. no cross-origin isolation. */
  readonly notes?: readonly string[] | undefined;
  /** Measured where asked for. */
  readonly ceiling?: CeilingReport | undefined;
}

export interface ReportOptions {
  readonly dtype: FloatDType;
  readonly threads: number;
  /** ms for one contender and case. */
  readonly budget: number;
  readonly samples: number | null;
}

/** Something that was to be measured: ready, or unavailable and why. */
export interface ContenderReport {
  /** Tells it from the report's others. */
  readonly name: string;
  /** The name of the environment that it was measured in. */
  readonly environment: string;
  readonly kind: "backend" | "peer";
  readonly status: "ready" | "unavailable";
  /** The name that a backend gives itself, e.g. `wasm` of the contender `wasm@2`. */
  readonly backend?: string | undefined;
  /** Only for contenders that are ready. */
  readonly info?: BackendInfo | undefined;
  /** Why it is unavailable. */
  readonly reason?: string | undefined;
  readonly hint?: string | undefined;
}

/** One workload with everybody's results. */
export interface CaseReport {
  readonly id: string;
  readonly title: string;
  readonly source: string;
  readonly suite: Suite;
  readonly series?: Series | undefined;
  /** Name of the operation, e.g. `"attention"`, `"rotary"`. */
  readonly operation: string;
  readonly sizes: CaseSizes;
  /** The problem's canonical key: sizes, rules, dtypes. */
  readonly problem: string;
  /** The least work of the call, as its operation counts it. */
  readonly flops: number;
  readonly bytes: number;
  /** Tokens that a call computes, where a model asks for one after another. */
  readonly tokens?: number | undefined;
  /** Tiles of the call's scores, where queries do not see every key. */
  readonly tiles?: CaseTiles | undefined;
  /** In the order of the contenders; those that are unavailable are left out. */
  readonly results: readonly CaseResult[];
}

/** How one contender did on one workload. */
export type CaseResult = Measured | Wrong | Refused | Failed;

interface ResultOf<S extends string> {
  readonly contender: string;
  readonly status: S;
}

/** Named in every output. */
export type Clock = "gpu timestamps" | "wall clock";

/** Durations of calls after warm-up. */
export interface Timed {
  /** By the wall clock: from the call until JavaScript can read the output. */
  readonly timing: TimingSummary;
  /** Every sample, by launch and round. */
  readonly launches: readonly LaunchSamples[];
  /** By the device's own timestamps, where it has them: its kernels alone. */
  readonly deviceTiming?: TimingSummary | undefined;
  /**
   * The part of `timing` spent copying the output from the backend's memory into a new array; left
   * out where nothing is copied, or where it includes waiting for a device.
   */
  readonly readTiming?: TimingSummary | undefined;
  /**
   * The same call through `attention.run`, which is what an application makes: `timing` and what core
   * adds to it. Left out for peers, and for calls too slow to be made that often.
   */
  readonly attention?: AttentionTimings | undefined;
  /** The clock that timed the kernels: the device's timestamps, or else the wall clock. */
  readonly clock?: Clock | undefined;
  /**
   * How many times as fast as the case's first measured contender; left out for that one itself, and
   * where no round has both.
   */
  readonly ratio?: PairedRatio | undefined;
}

/** Calls of `attention.run` until JavaScript can read the output. */
export interface AttentionTimings {
  /** With inputs in JavaScript's memory: the time includes bringing them into the backend's. */
  readonly host: TimingSummary;
  /** With inputs in the backend's own memory beforehand; left out where it has none. */
  readonly resident?: TimingSummary | undefined;
}

/** It computed the right thing, and was timed. */
export interface Measured extends ResultOf<"measured">, FirstCall, Timed {}

/** It computed something else. */
export interface Wrong extends ResultOf<"wrong">, FirstCall {
  /** The rules that the output breaks, and its worst element: index, value and expected value. */
  readonly message: string;
  /**
   * Only where that was asked for. Apart from everything else, so that nothing counts it as the time
   * of an answer.
   */
  readonly timed?: Timed | undefined;
}

/** It said beforehand that it does not do this. */
export interface Refused extends ResultOf<"refused"> {
  readonly reasons: readonly SupportReason[];
}

/** It accepted and then threw. */
export interface Failed extends ResultOf<"failed"> {
  readonly message: string;
}

export interface FirstCall {
  readonly kernel: string;
  readonly workspaceBytes: number | null;
  /** Bytes of keys and values that are held between calls; left out where none are. */
  readonly cacheBytes?: number | undefined;
  readonly inputs: InputPlacement;
  /** Worst row's error, where 1 is all that is allowed; null where not even a number came out. */
  readonly errorInBudgets: number | null;
  /** ms to make the plan: kernels compiled, session created. */
  readonly planMs: number;
  /** ms to put the inputs in place. */
  readonly placeMs: number;
  /** ms of the first call, with whatever is done lazily. */
  readonly firstCallMs: number;
  /**
   * Bytes by which memory grew at its peak, from before the plan was made until the first call was
   * done; null where that cannot be told. Memory that an earlier case left behind is used again and
   * not seen.
   */
  readonly peakBytes: number | null;
  /** Which memory that is, or why it cannot be told. */
  readonly peakOf?: string | undefined;
}

/** Measured peaks of the machine, at a number of threads. */
export interface CeilingReport {
  readonly threads: number;
  /** By instruction set: a register-only multiply-add loop. */
  readonly arithmetic: readonly { readonly features: string; readonly gflops: number }[];
  /** A streaming read of memory, far past the caches. */
  readonly readGBps: number;
}
