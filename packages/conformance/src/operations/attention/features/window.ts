import type { AttentionWindow } from "@heed/core";
import fc from "fast-check";
import { junk, pick } from "../../../calls/junk.js";
import { wrongBut } from "../hostile/wrong-values.js";
import type { CallFeature } from "./feature.js";

const side = fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined });

/** A window: a query sees keys no further to the left and to the right than it says. */
export const window: CallFeature = {
  field: "window",
  isArgument: true,
  positional: true,
  rarity: 1,
  factors: {
    window: {
      unbounded: {},
      left: { window: { left: 6 } },
      right: { window: { right: 3 } },
      both: { window: { left: 4, right: 2 } },
    },
  },
  law: {
    draw: fc.option(fc.record({ left: side, right: side }), { nil: undefined }),
    toSpec: (window: AttentionWindow | undefined) => (window ? { window } : {}),
  },
  variations: {
    "a window": { window: { left: 4 } },
    "a wider window": { window: { left: 5 } },
    "a window to the right": { causal: false, window: { right: 2 } },
  },
  everything: { window: { left: 30 } },
  valid: { window: { left: 3 } },
  wrong: {
    window: (_, random) =>
      pick(random, [
        ...junk.filter((value) => typeof value !== "object" || value === null),
        { left: wrongBut(random, undefined) },
        { right: wrongBut(random, undefined) },
        { left: 1, rigth: 1 },
      ]),
  },
  cases: [],
};
