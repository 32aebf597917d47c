import type { AttentionInputs, HostTensor } from "@heed/core";
import { junk, pick, wrongInteger } from "../../../calls/junk.js";
import type { Random } from "../../../calls/random.js";

type Call = AttentionInputs<HostTensor>;

export const notNumber: readonly unknown[] = junk.filter((value) => typeof value !== "number");

export const notFinite: readonly unknown[] = [
  ...notNumber,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
];

/** Draws one of some values. */
export function oneOf(values: readonly unknown[]): (call: Call, random: Random) => unknown {
  return (_, random) => pick(random, values);
}

/** A wrong integer, but not the value that is allowed. */
export function wrongBut(random: Random, allowed: unknown): unknown {
  const value = wrongInteger(random);
  return value === allowed ? -1 : value;
}

/** Values of heads that are too many, too few, no numbers, or not finite. */
export function wrongHeadValues(call: Call, random: Random, more: readonly number[]): unknown {
  const heads = call.query.shape[1] as number;
  return pick(random, [
    ...junk,
    new Float32Array(heads + 1),
    new Float64Array(heads - 1),
    new Int32Array(heads),
    [1, 2, 3],
    [1, 2, 3, "4"],
    [1, 2, 3, Number.NaN],
    [1, 2, 3, Number.POSITIVE_INFINITY],
    ...more.map((value) => [1, 2, 3, value]),
  ]);
}
