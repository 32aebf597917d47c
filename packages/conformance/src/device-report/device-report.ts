import type { BackendInfo, SupportReason } from "@heed/core";
import type { Outcome } from "../report/report.js";

/** Raised when a reader of older files would misunderstand newer ones. */
export const deviceReportVersion = 1;

/**
 * A report of what one engine on one device computes, and how fast: the file that people send in. It holds what the conformance
 * suite and the benchmark found, summarised so that it stays small enough for a link.
 */
export interface DeviceReport {
  readonly format: "heed-device";
  readonly version: typeof deviceReportVersion;
  /** ISO 8601. */
  readonly created: string;
  /** The device in the words of whoever made the report, such as `"MacBook Air M3"`; null if they gave none. */
  readonly device: string | null;
  readonly environment: DeviceEnvironment;
  /** Results of the conformance suite, a member for each backend; left out if it was not run. */
  readonly conformance?: readonly BackendConformance[] | undefined;
  /** Results of the benchmark; left out if it was not run. */
  readonly benchmark?: DeviceBenchmark | undefined;
  /** The table of measured choices that a backend made on this device, as that backend writes it. */
  readonly tuning?: DeviceTuning | undefined;
}

/** The engine and what is known of its machine. */
export interface DeviceEnvironment {
  /** Short name: `"node"`, `"chromium"`, `"firefox"`, `"webkit"`, `"deno"`, `"bun"`, … */
  readonly engine: string;
  /** Versions by name, e.g. `node`, `v8`. */
  readonly versions: Readonly<Record<string, string>>;
  /** Operating system and architecture. */
  readonly platform: string;
  /** As the operating system names it; null where the engine does not tell. */
  readonly cpu: string | null;
  readonly cores: number | null;
  /** Bytes; null where the engine does not tell. */
  readonly memory: number | null;
  /** Limitations of the environment, e.g. no cross-origin isolation. */
  readonly notes?: readonly string[] | undefined;
}

/** Results of the suite for one backend: counts, and the particulars of what is wrong or refused. */
export interface BackendConformance {
  readonly backend: string;
  /** Set where the backend could not be loaded; there are then no results. */
  readonly unavailable: { readonly reason: string; readonly hint?: string | undefined } | null;
  readonly info: BackendInfo | null;
  /** Cases of each profile by outcome. */
  readonly profiles: Readonly<Record<string, Readonly<Record<Outcome, number>>>>;
  /** Cases that fail, known failures among them. */
  readonly failures: readonly DeviceFailure[];
  /** Failures that were left out, since the file would be too large. */
  readonly failuresLeftOut: number;
  /** Reasons of refusals, with the number of cases that were refused for each; the most frequent first. */
  readonly refusals: readonly (SupportReason & { readonly cases: number })[];
}

export interface DeviceFailure {
  /** The case's id. */
  readonly id: string;
  readonly outcome: "fail" | "known-failure";
  /** A sentence for each rule that the outputs break. */
  readonly messages: readonly string[];
  /** Mistakes that would give what came. */
  readonly explanations: readonly string[];
}

/** Times of the benchmark, without its samples. */
export interface DeviceBenchmark {
  /** ISO 8601. */
  readonly date: string;
  readonly dtype: string;
  readonly threads: number;
  readonly contenders: readonly DeviceContender[];
  readonly cases: readonly DeviceCase[];
  /** Cases that were left out, since the file would be too large. */
  readonly casesLeftOut: number;
}

/** Something that was to be measured. */
export interface DeviceContender {
  readonly name: string;
  /** A backend of Heed's interface, or somebody else's implementation. */
  readonly kind: "backend" | "peer";
  /** Null if it is unavailable. */
  readonly info: BackendInfo | null;
  /** Why it is unavailable; null if it is not. */
  readonly unavailable: string | null;
}

export interface DeviceCase {
  readonly id: string;
  readonly title: string;
  readonly operation: string;
  /** The least work of a call. */
  readonly flops: number;
  readonly bytes: number;
  readonly results: readonly DeviceResult[];
}

/** Result of one contender on one case. */
export type DeviceResult =
  | {
      readonly contender: string;
      readonly status: "measured";
      /** ms by the wall clock, until JavaScript can read the output. */
      readonly median: number;
      readonly p25: number;
      readonly p75: number;
      /** ms by the device's own timestamps; left out where it has none. */
      readonly device?: number | undefined;
      /** Timed samples. */
      readonly count: number;
    }
  | {
      readonly contender: string;
      readonly status: "wrong" | "refused" | "failed";
      readonly message: string;
    };

/** A versioned table, whose other members its own reader checks. */
export interface DeviceTuning {
  readonly format: string;
  readonly version: number;
  readonly [member: string]: unknown;
}
