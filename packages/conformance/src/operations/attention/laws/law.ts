import type { AttentionOutputs, BackendInfo, HostTensor } from "@heed/core";
import type { Random } from "../../../calls/random.js";
import type { Arithmetic } from "../../../judge/arithmetic.js";
import type { FeatureField } from "../features/feature.js";
import type { CaseSpec } from "../spec.js";
import type { Call } from "./transform.js";

/** What a law gets to check a call with. */
export interface LawContext {
  /** Runs a call on the backend under test. */
  readonly run: (call: Call) => Promise<AttentionOutputs<HostTensor>>;
  /** For what the law chooses by itself: where to split, which order. */
  readonly random: Random;
  readonly arithmetic: Arithmetic;
}

/** Something that holds between calls, whatever the numbers: it needs no oracle. */
export interface Law {
  readonly name: string;
  /** What holds, as a sentence. */
  readonly statement: string;
  /** What its problems may have. */
  readonly features: readonly FeatureField[];
  /** What they must have. */
  readonly always?: Partial<CaseSpec>;
  /**
   * Whether a backend promises what it says, by what it says about itself; without the promise nothing is
   * asked. Default: every backend must keep it.
   */
  readonly isPromised?: (info: BackendInfo) => boolean;
  /** Whether it says nothing without log-sum-exps. */
  readonly needsLogSumExp?: boolean;
  /** @returns how the law is broken, in a sentence; or `null` */
  readonly check: (call: Call, context: LawContext) => Promise<string | null>;
}

/** An integer from 0 to `most`. */
export function choose(random: Random, most: number): number {
  return Math.floor(random.uniform() * (most + 1));
}
