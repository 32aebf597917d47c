import type { BackendInfo, SupportReason } from "@heed/core";
import type { WorstElement } from "../judge/verdict.js";
import type { Profile } from "../run/case.js";

/** Outcome of a case. A backend that is unavailable has no cases: see {@link ConformanceReport}. */
export type Outcome = "pass" | "fail" | "known-failure" | "unsupported";

/** A case that a backend is known to get wrong. */
export interface KnownFailure {
  /** The case's id. */
  readonly case: string;
  /** Link to the issue that describes the defect. */
  readonly link: string;
  /** Description of the defect, in a sentence. */
  readonly why: string;
}

export interface CaseResult {
  readonly id: string;
  readonly profile: Profile | "vectors";
  readonly outcome: Outcome;
  /** Features of the problem, for the table of support. */
  readonly features: readonly string[];
  /** Largest error over what was allowed; `null` where nothing was computed. */
  readonly budgets: number | null;
  /** Normalised mean-square error. */
  readonly nmse: number | null;
  readonly worst: WorstElement | null;
  /** Failures, one sentence each; empty if there are none. */
  readonly failures: readonly string[];
  /** Mistakes that would give what came, as alternatives, each of mistakes made together. */
  readonly explanations?: readonly (readonly string[])[];
  /** Why the backend refused. */
  readonly reasons: readonly SupportReason[];
  /** Entry for a `"known-failure"` in the declaration of the backend's package. */
  readonly known?: KnownFailure;
  readonly milliseconds: number;
}

/** Results of the suite for one backend. */
export interface ConformanceReport {
  readonly backend: string;
  /** Set where the backend could not be loaded; there are then no results. */
  readonly unavailable: { readonly reason: string; readonly hint?: string } | null;
  readonly info: BackendInfo | null;
  /** The runtime, in a few words. */
  readonly environment: string;
  /** Profiles that the backend claims. */
  readonly claims: readonly string[];
  readonly counts: Readonly<Record<Outcome, number>>;
  readonly results: readonly CaseResult[];
}

/** Counts of nothing yet. */
export function noCounts(): Record<Outcome, number> {
  return { pass: 0, fail: 0, "known-failure": 0, unsupported: 0 };
}

/** Whether a backend passes every case of a profile: one that it refuses is not passed. */
export function passesWhole({ results }: ConformanceReport, profile: string): boolean {
  const own = results.filter((result) => result.profile === profile);
  return own.length > 0 && own.every(({ outcome }) => outcome === "pass");
}
