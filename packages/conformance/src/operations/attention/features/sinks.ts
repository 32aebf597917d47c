import fc from "fast-check";
import { wrongHeadValues } from "../hostile/wrong-values.js";
import type { CallFeature } from "./feature.js";

/** Attention sinks: a logit a head without a value. */
export const sinks: CallFeature = {
  field: "sinks",
  isArgument: false,
  positional: false,
  rarity: 2,
  factors: { sinks: { "no-sinks": {}, sinks: { sinks: true } } },
  law: { draw: fc.boolean(), toSpec: (sinks: boolean) => (sinks ? { sinks: true } : {}) },
  variations: {
    sinks: { sinks: [0, 1, 2, 3] },
    "other sinks": { sinks: [3, 2, 1, 0] },
  },
  everything: { sinks: true },
  valid: { sinks: true },
  wrong: { sinks: (call, random) => wrongHeadValues(call, random, []) },
  edges: {
    "a sink is 1e39": { sinks: [0, 1e39, 0, 0] },
    "a sink is −1e39": { sinks: [0, 0, 0, -1e39] },
    "a float64 sink is 1e39": { sinks: Float64Array.of(1e39, 0, 0, 0) },
  },
  cases: [],
};
