import type { AttentionOutputs, BackendInfo, HostTensor } from "@heed/core";
import type fc from "fast-check";
import type { Random } from "../../../calls/random.js";
import type { Arithmetic } from "../../../judge/arithmetic.js";
import type { FeatureField } from "../features/feature.js";
import type { CaseSpec } from "../spec.js";
import type { Call } from "./transform.js";

/** The means by which a law checks a call. */
export interface LawContext {
  /** Runs a call on the backend under test. */
  readonly run: (call: Call) => Promise<AttentionOutputs<HostTensor>>;
  /** For the law's own choices, such as where to split the keys or how to order them. */
  readonly random: Random;
  readonly arithmetic: Arithmetic;
}

/** Something that holds between calls, whatever the numbers: it needs no oracle. */
export interface Law {
  readonly name: string;
  /** The property that holds, as a sentence. */
  readonly statement: string;
  /** The features that its random problems may have. */
  readonly features: readonly FeatureField[];
  /** The settings that all its problems have. */
  readonly always?: Partial<CaseSpec>;
  /** Its random problems, if they are others than those of the features. */
  readonly problems?: fc.Arbitrary<CaseSpec>;
  /** How many times as many problems are tried as for other laws. Default 1. */
  readonly tries?: number;
  /**
   * Whether a backend promises that the law holds, by its `info`; without that promise the law is not
   * tried. Default: every backend must obey it.
   */
  readonly isPromised?: (info: BackendInfo) => boolean;
  /** Whether the law cannot be checked without log-sum-exps. */
  readonly needsLogSumExp?: boolean;
  /** @returns how the law is broken, in a sentence; or `null` */
  readonly check: (call: Call, context: LawContext) => Promise<string | null>;
}

/** An integer from 0 to `most`. */
export function choose(random: Random, most: number): number {
  return Math.floor(random.uniform() * (most + 1));
}
