import fc from "fast-check";
import { notFinite, oneOf } from "../hostile/wrong-values.js";
import type { CallFeature } from "./feature.js";

/** An explicit scale in place of 1/√headDim. */
export const scale: CallFeature = {
  field: "scale",
  isArgument: true,
  positional: false,
  rarity: 2,
  factors: { scale: { "scale-1/√d": {}, "scale-0.3": { scale: 0.3 } } },
  law: {
    draw: fc.option(fc.constantFrom(0.3, -0.5), { nil: undefined }),
    toSpec: (scale: number | undefined) => (scale === undefined ? {} : { scale }),
  },
  variations: { "a scale": { scale: 0.31 } },
  everything: { scale: 0.2 },
  valid: { scale: 0.3 },
  wrong: { scale: oneOf(notFinite) },
  edges: {
    "scale is 1e39": { scale: 1e39 },
    "scale is −1e39": { scale: -1e39 },
    "scale is the largest float64": { scale: Number.MAX_VALUE },
  },
  cases: [],
};
