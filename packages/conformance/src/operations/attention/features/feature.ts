import type { AttentionInputs, HostTensor } from "@heed/core";
import type fc from "fast-check";
import type { Random } from "../../../calls/random.js";
import type { ConformanceCase } from "../../../run/case.js";
import type { CaseSpec } from "../spec.js";

/** Sizes of a call, for specs of inputs whose shape follows from them. */
export interface Sizes {
  readonly batch: number;
  readonly queryHeads: number;
  readonly queryLength: number;
  readonly keyLength: number;
}

/** Fields of a spec; a function where they depend on the call's sizes. */
export type Part = Partial<CaseSpec> | ((sizes: Sizes) => Partial<CaseSpec>);

/** A factor of the pairwise cases: its values by name, the plainest first. */
export type Factor = Readonly<Record<string, Part>>;

/** Fields of a spec that the laws, pairs and hostile calls treat as features of a call. */
export type FeatureField =
  | "causal"
  | "window"
  | "queryOffset"
  | "kvLengths"
  | "mask"
  | "bias"
  | "alibi"
  | "sinks"
  | "softcap"
  | "scale";

/** How a law's random problems get a feature. */
export interface LawPart {
  /** Draws what {@link toSpec} needs; `undefined` where a problem lacks the feature. */
  readonly draw: fc.Arbitrary<unknown>;
  readonly toSpec: (drawn: never, sizes: Sizes) => Partial<CaseSpec>;
}

/**
 * A rule of the semantics or an optional input, with everything that the suite tries with it. A new
 * one is a file here, a field of `CaseSpec`, and a line in `index.ts`.
 */
export interface CallFeature {
  readonly field: FeatureField;
  /** Whether the spec's field is the call's argument of the same name, as it stands. */
  readonly isArgument: boolean;
  /** Whether it says something about positions: keys of a call without such rules have no order. */
  readonly positional: boolean;
  /**
   * How many backends lack it: 0 hardly any, 2 several. Laws leave out what a backend refuses, the
   * rarest first.
   */
  readonly rarity: 0 | 1 | 2;
  /** Factors of the pairwise cases, by name. */
  readonly factors: Readonly<Record<string, Factor>>;
  readonly law: LawPart;
  /** Problems that differ in this feature alone from a common one: see `behaviours/variations.ts`. */
  readonly variations: Readonly<Record<string, Partial<CaseSpec>>>;
  /** Its part of the case that has every feature, of 37 queries and 71 keys. */
  readonly everything: Partial<CaseSpec>;
  /** Its part of a valid call that hostile calls spoil, of sizes [2, 4, 5, 7]. */
  readonly valid: Partial<CaseSpec>;
  /** Wrong values of the call's own arguments, by the argument's name. */
  readonly wrong: Readonly<
    Record<string, (call: AttentionInputs<HostTensor>, random: Random) => unknown>
  >;
  /**
   * Arguments that are wrong in a float32 call, though they are numbers, by what is wrong with them: such as
   * finite ones that float32 does not hold.
   */
  readonly edges?: Readonly<Record<string, Partial<AttentionInputs<HostTensor>>>>;
  /** Cases of its own, of any profile. */
  readonly cases: readonly ConformanceCase[];
}
