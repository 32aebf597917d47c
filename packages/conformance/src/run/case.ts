import type { AttentionBackend, AttentionProvider, SupportReason } from "@heed/core";
import type { Arithmetic } from "../judge/arithmetic.js";
import type { Verdict } from "../judge/verdict.js";
import type { CaseSpec } from "../operations/attention/spec.js";

/**
 * Subject of a case. `core`: what a first backend must get right, float32. `decode`: few queries
 * against a cache. `masks`: every way to hide keys. `numerics`: other dtypes, extreme numbers and
 * sizes. `pairs`: every pair of features together. `laws`: what holds between calls, on random ones.
 * `behaviour`: plans, order, concurrency, disposal, wrong calls. `rotary`, `merge`: the operations
 * of these names.
 */
export type Profile = (typeof profiles)[number];

export const profiles = [
  "core",
  "decode",
  "masks",
  "numerics",
  "pairs",
  "laws",
  "behaviour",
  "rotary",
  "merge",
] as const;

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
  /** The operation's name. */
  readonly operation: string;
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
