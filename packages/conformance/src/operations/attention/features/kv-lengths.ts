import fc from "fast-check";
import { junk, pick, wrongInteger } from "../../../calls/junk.js";
import type { CallFeature } from "./feature.js";

/** How many keys of each batch exist, and what stands in those that do not. */
export const kvLengths: CallFeature = {
  field: "kvLengths",
  isArgument: false,
  positional: true,
  rarity: 0,
  factors: {
    kvLengths: {
      all: {},
      short: ({ batch, keyLength }) => ({
        kvLengths: [keyLength - 2, keyLength, 1].slice(0, batch),
      }),
      zero: ({ batch, keyLength }) => ({ kvLengths: [0, keyLength - 1, 0].slice(0, batch) }),
    },
    hidden: { clean: {}, poisoned: { poison: "NaN" } },
  },
  law: {
    draw: fc.option(fc.tuple(fc.nat(75), fc.nat(75), fc.nat(75)), { nil: undefined }),
    toSpec: (lengths: readonly number[] | undefined, { batch, keyLength }) =>
      lengths
        ? { kvLengths: lengths.slice(0, batch).map((length) => Math.min(length, keyLength)) }
        : {},
  },
  variations: {
    "lengths of the keys": { kvLengths: [21, 20] },
    "other lengths of the keys": { kvLengths: [3, 21] },
  },
  everything: { kvLengths: [71, 60] },
  valid: { kvLengths: [6, 7] },
  wrong: {
    kvLengths: (call, random) =>
      pick(random, [
        ...junk,
        [1],
        [1, 2, 3],
        [1, (call.key.shape[2] as number) + 1],
        [-1, 2],
        [1, wrongInteger(random)],
        new Float32Array(2),
        Int32Array.of(1),
        Int32Array.of(1, -1),
      ]),
  },
  cases: [],
};
