import { describeValue, InvalidInputError } from "../../errors.js";

/**
 * Elements of the longest array of doubles that is asked for. V8 ends the process where one passes 2^27 − 2 elements,
 * and lets one that is filled grow to 1.5 times its length.
 */
export const mostDoubles: number = 2 ** 26;

/**
 * Numbers as V8's packed doubles. Why not a `Float64Array`: V8 reads a plain array with fewer instructions, and checks
 * typed arrays for detached buffers as soon as any buffer of the process was ever detached, as by a growing wasm memory.
 * The products of JavaScript's tiled kernel are 15 to 25 % faster so, and 40 to 50 % in Node 20 beside a library
 * that detaches.
 */
export type Doubles = number[];

/**
 * An array of zeros that V8 stores as unboxed doubles, without holes, from the start.
 *
 * @param length at most 2^26
 * @throws InvalidInputError
 */
export function doubles(length: number): Doubles {
  if (!(Number.isInteger(length) && length >= 0 && length <= mostDoubles)) {
    throw new InvalidInputError(
      "length",
      `an integer from 0 to ${mostDoubles}`,
      describeValue(length),
    );
  }
  const array: number[] = [];
  // A fraction, since integers would be stored as such, and one by one, since what is preallocated
  // counts as having holes.
  for (let i = 0; i < length; i++) array.push(0.5);
  return array.fill(0);
}
