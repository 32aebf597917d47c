import type { AttentionInputs, HostTensor } from "@heed/core";
import type { Profile } from "../../../run/case.js";
import type { PublishedName } from "./published.js";
import type { Steps } from "./steps.js";
import type { TileSteps } from "./tiled-softmax.js";

export type Call = AttentionInputs<HostTensor>;

/** An output beside `output`. */
export type Statistic = "logSumExp" | "weights" | "scores";

/** How a mistake changes what is computed. */
export type Semantics =
  /** Another call is computed instead; `null` where it makes no difference. */
  | { readonly kind: "call"; readonly change: (call: Call) => Call | null }
  /** Steps of the evaluation are replaced. */
  | { readonly kind: "steps"; readonly steps: Partial<Steps> }
  /** Rows of the output, `[batch · queryHeads · queryLength]`, come out too large by a factor. */
  | { readonly kind: "factors"; readonly factors: (call: Call) => Float64Array | null }
  /** Only so many query rows are computed, and the others are left at 0. */
  | { readonly kind: "rows"; readonly rows: (queries: number) => number | null }
  /** Steps of an online softmax over tiles of keys are replaced. */
  | { readonly kind: "tiles"; readonly tile: number; readonly steps: Partial<TileSteps> }
  /** The output is right, and something that is returned beside it is not. */
  | {
      readonly kind: "returned";
      readonly of: Statistic;
      readonly make: (call: Call) => Float64Array | null;
    };

/**
 * A mistake that an implementation of attention can make. The catalogue has each once: explanations of
 * failures look for those with a sentence, and the suite's own test plants those with a profile into a
 * backend that is right.
 */
export interface Mistake {
  /** Completes "a backend in which …". */
  readonly name: string;
  /**
   * Completes "this is what comes out if …"; default the name. `null` for a mistake whose numbers are
   * too near to the right ones, or to other mistakes', to be told by them.
   */
  readonly sentence?: string | null;
  readonly semantics: Semantics;
  /** For a mutant: the profile whose cases must find it. */
  readonly mutant?: Profile;
  /** The bug of another project that it is modelled on. */
  readonly published?: PublishedName;
}

/** How the mistake reads in an explanation; `null` where it explains nothing. */
export function sentenceOf({ name, sentence }: Mistake): string | null {
  return sentence === undefined ? name : sentence;
}

/** Optional members of a mistake: how explanations, mutants and published bugs refer to it. */
export type Use = Pick<Mistake, "sentence" | "mutant" | "published">;

/** A mistake that computes another call. */
export function callMistake(
  name: string,
  change: (call: Call) => Call | null,
  use: Use = {},
): Mistake {
  return { name, semantics: { kind: "call", change }, ...use };
}

/** A mistake in steps of the evaluation that no explanation tells. */
export function stepMistake(
  name: string,
  mutant: Profile,
  steps: Partial<Steps>,
  published?: PublishedName,
): Mistake {
  return {
    name,
    sentence: null,
    mutant,
    semantics: { kind: "steps", steps },
    ...(published && { published }),
  };
}
