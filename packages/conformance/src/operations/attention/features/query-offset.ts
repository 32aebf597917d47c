import fc from "fast-check";
import { pick } from "../../../calls/junk.js";
import { notNumber } from "../hostile/wrong-values.js";
import type { CaseSpec } from "../spec.js";
import type { CallFeature } from "./feature.js";

const offset = fc.integer({ min: -10, max: 60 });

/** Positions of the queries on the key axis. */
export const queryOffset: CallFeature = {
  field: "queryOffset",
  isArgument: false,
  positional: true,
  rarity: 0,
  factors: {
    position: {
      "no-offset": {},
      "bottom-right": { queryOffset: "bottom-right" },
      ahead: { queryOffset: 7 },
      behind: { queryOffset: -3 },
      "per-batch": ({ batch }) => ({ queryOffset: [5, -2, 20].slice(0, batch) }),
    },
  },
  law: {
    draw: fc.oneof(offset, fc.constant("bottom-right" as const), fc.tuple(offset, offset, offset)),
    toSpec: (drawn: NonNullable<CaseSpec["queryOffset"]>, { batch }) => ({
      queryOffset: typeof drawn === "object" ? drawn.slice(0, batch) : drawn,
    }),
  },
  variations: {
    "another offset": { queryOffset: 6 },
    "offsets per batch": { queryOffset: [5, 7] },
    "the bottom right": { queryOffset: "bottom-right" },
  },
  everything: { queryOffset: [-2, 36] },
  valid: { queryOffset: [1, 2] },
  wrong: {
    queryOffset: (_, random) =>
      pick(random, [
        ...notNumber,
        0.5,
        Number.NaN,
        2 ** 31,
        "top-left",
        [1],
        [1, 2, 3],
        [1, 0.5],
        [1, null],
        new Float32Array(2),
        Int32Array.of(1),
        undefined,
      ]),
  },
  cases: [],
};
