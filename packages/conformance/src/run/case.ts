import type { AttentionBackend, AttentionProvider, DType, SupportReason } from "@heed/core";
import type { Arithmetic } from "../judge/arithmetic.js";
import type { Verdict } from "../judge/verdict.js";
import type { CaseSpec } from "../operations/attention/spec.js";
import { type OperationName, operationSubjects } from "../operations/names.js";

/** Profiles of attention, each with what it is about in a few words. */
const ofAttention = {
  core: "the least that a backend must get right, in float32",
  decode: "few queries against a cache",
  masks: "every way to hide keys",
  numerics: "other dtypes, and extreme numbers and sizes",
  pairs: "every pair of features",
  serving: "stored keys, pages, ragged batches, positions as data",
  programs: "masks and scores as programs, and block masks",
  laws: "what holds between calls, on random ones",
  behaviour: "plans, order, memory, disposal, wrong calls",
} as const;

/** Subject of a case: one of attention's, or the operation of that name. */
export type Profile = keyof typeof ofAttention | OperationName;

const subjects: Readonly<Record<Profile, string>> = { ...ofAttention, ...operationSubjects };

export const profiles: readonly Profile[] = Object.keys(subjects) as Profile[];

/** The subject of a profile, in a few words. */
export function aboutProfile(profile: Profile): string {
  return subjects[profile];
}

/** A synthetic case: data, with an id that stays and from which its numbers follow. */
export interface ConformanceCase {
  /** E.g. `"masks/mask-rank2-1xk"`; unique. */
  readonly id: string;
  readonly profile: Profile;
  readonly spec: CaseSpec;
  /**
   * Rows to judge, spread over the call, where it is too large to be judged as a whole; such a case
   * runs once. Default all.
   */
  readonly rows?: number;
  /**
   * Whether it also runs on tensors that were uploaded, where the backend has memory of its own. Default
   * in the profile `pairs` only.
   */
  readonly resident?: boolean;
}

/** Arguments of {@link ProgramCase.run}. */
export interface CheckContext {
  readonly backend: AttentionBackend;
  /** The backend's provider, for cases that load the backend anew. */
  readonly provider: AttentionProvider;
  readonly arithmetic: Arithmetic;
  /** Number of random problems for each law. */
  readonly runs: number;
  /** Seed of the random problems; default fixed. */
  readonly seed: number;
}

/** Result of {@link ProgramCase.run}. */
export interface ProgramFinding {
  /** Failures, one sentence each; empty if there are none. */
  readonly failures: readonly string[];
  /** Why the backend refused, where it refused all that was tried. */
  readonly reasons?: readonly SupportReason[];
}

/** A case that is more than one call: a law, or a behaviour. */
export interface ProgramCase {
  /** E.g. `"laws/batch-independence"`; unique. */
  readonly id: string;
  readonly profile: Profile;
  /** The rule that must hold, as a sentence. */
  readonly statement: string;
  /** Runs it. What it throws is the backend's failure. */
  readonly run: (context: CheckContext) => Promise<ProgramFinding>;
}

/** Arguments of an {@link OperationCase}. */
export interface OperationContext extends CheckContext {
  /** How to read a recorded vector. Default: beside this package's modules. */
  readonly readVector?: ((path: string) => Promise<Uint8Array>) | undefined;
}

/** Result of an {@link OperationCase}. */
export interface OperationFinding extends ProgramFinding {
  /** Dtypes of the call's tensors. */
  readonly dtypes?: readonly DType[];
  /** How outputs compare with what is expected, where there are any. */
  readonly verdict?: Verdict;
  /** Mistakes that would give the outputs that the backend gave: alternatives, each of mistakes made together. */
  readonly explanations?: readonly (readonly string[])[];
}

/** A case of an operation other than attention: a call that is judged, or several. */
export interface OperationCase {
  /** E.g. `"rotary/shape-d16"`; unique. */
  readonly id: string;
  readonly profile: Profile;
  readonly operation: OperationName;
  /** Runs it. What it throws is the backend's failure. */
  readonly check: (context: OperationContext) => Promise<OperationFinding>;
}

/** Cases of one profile. */
export function ofProfile(
  profile: Profile,
  list: readonly Omit<ConformanceCase, "profile">[],
): readonly ConformanceCase[] {
  return list.map((c) => ({ ...c, profile }));
}
