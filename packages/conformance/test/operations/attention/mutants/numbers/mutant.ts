import type { Profile } from "@heed/conformance";
import type { Steps } from "../attention.js";
import type { PublishedName } from "../published.js";

/** A bug in one step. */
export interface NumberMutant {
  /** What is wrong, as a sentence's end: "a backend in which …". */
  readonly name: string;
  /** Where it was shipped. */
  readonly published?: PublishedName;
  /** The cases to look for it in. */
  readonly profile: Profile;
  readonly steps: Partial<Steps>;
}

/** The lowest float32. */
export const lowest = -3.4028234663852886e38;
