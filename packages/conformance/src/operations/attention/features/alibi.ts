import fc from "fast-check";
import { wrongHeadValues } from "../hostile/wrong-values.js";
import type { CallFeature } from "./feature.js";

/** ALiBi (arXiv:2108.12409): a slope a head, times the distance between query and key. */
export const alibi: CallFeature = {
  field: "alibi",
  isArgument: false,
  positional: true,
  rarity: 2,
  factors: { alibi: { "no-alibi": {}, alibi: { alibi: true } } },
  law: { draw: fc.boolean(), toSpec: (alibi: boolean) => (alibi ? { alibi } : {}) },
  variations: { alibi: { alibi: true } },
  everything: { alibi: true },
  valid: { alibi: true },
  wrong: {
    alibiSlopes: (call, random) => wrongHeadValues(call, random, [Number.NEGATIVE_INFINITY]),
  },
  edges: {
    "a slope is 1e39": { alibiSlopes: [0.5, 0.5, 1e39, 0.5] },
    "a slope is −1e39": { alibiSlopes: [0.5, 0.5, 0.5, -1e39] },
    "a float64 slope is 1e39": { alibiSlopes: Float64Array.of(0.5, 1e39, 0.5, 0.5) },
  },
  cases: [],
};
