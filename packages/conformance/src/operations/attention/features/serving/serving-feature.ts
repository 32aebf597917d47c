import type { AttentionInputs, HostTensor } from "@heed/core";
import type { Random } from "../../../../calls/random.js";
import type { ConformanceCase } from "../../../../run/case.js";
import type { CaseSpec } from "../../spec.js";
import type { Factor } from "../feature.js";

/**
 * A way to store keys and values, to cut a batch into sequences or to say positions, with everything that
 * the suite tries with it. Not every backend has them: their cases are those of the profile `serving`.
 */
export interface ServingFeature {
  /** Factors of the pairwise cases, by name; the plainest value first. */
  readonly factors: Readonly<Record<string, Factor>>;
  /** Problems that differ in this alone from a common one: see `behaviours/variations.ts`. */
  readonly variations: Readonly<Record<string, Partial<CaseSpec>>>;
  /** A valid call, of which each of the wrong ones spoils something. */
  readonly valid: CaseSpec;
  /** Arguments that are wrong beside those of the valid call, by what is wrong. */
  readonly wrong: Readonly<
    Record<string, (call: AttentionInputs<HostTensor>, random: Random) => Record<string, unknown>>
  >;
  /** Tensors of the call that hostile calls spoil in every way. */
  readonly tensors: readonly (keyof AttentionInputs)[];
  readonly cases: readonly ConformanceCase[];
}
