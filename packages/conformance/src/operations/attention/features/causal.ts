import fc from "fast-check";
import { junk } from "../../../calls/junk.js";
import { oneOf } from "../hostile/wrong-values.js";
import type { CallFeature } from "./feature.js";

/** Causal masking: a query sees no key after its own position. */
export const causal: CallFeature = {
  field: "causal",
  isArgument: true,
  positional: true,
  rarity: 0,
  factors: { causal: { full: {}, causal: { causal: true } } },
  law: { draw: fc.boolean(), toSpec: (causal: boolean) => (causal ? { causal } : {}) },
  variations: { "not causal": { causal: false } },
  everything: { causal: true },
  valid: { causal: true },
  wrong: { causal: oneOf([...junk, 0, 1, "true"]) },
  cases: [],
};
