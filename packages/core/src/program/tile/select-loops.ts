/**
 * The loops of tile programs that choose between two floats. Both are written to a pair, from which the condition reads one:
 * a branch would be guessed wrong half of the time where conditions follow no pattern, which costs five times as much.
 */
import { type Doubles, doubles } from "./doubles.js";
import type { FloatListAndNumbers } from "./float-loop-types.js";

/** Three pairs: for 0 (false) and 1 (true), of each of three elements. */
const pairs: Doubles = doubles(6);

/** `o = condition ? a : b`. */
export function chooseFloats(
  o: Doubles,
  to: number,
  condition: Int32Array,
  a: Doubles,
  from: number,
  b: Doubles,
  second: number,
  n: number,
): void {
  for (let s = 0; s < n; s = (s + 3) | 0) {
    pairs[0] = b[(second + s) | 0] as number;
    pairs[1] = a[(from + s) | 0] as number;
    pairs[2] = b[(second + s + 1) | 0] as number;
    pairs[3] = a[(from + s + 1) | 0] as number;
    pairs[4] = b[(second + s + 2) | 0] as number;
    pairs[5] = a[(from + s + 2) | 0] as number;
    o[(to + s) | 0] = pairs[(condition[s] as number) & 1] as number;
    o[(to + s + 1) | 0] = pairs[2 + ((condition[(s + 1) | 0] as number) & 1)] as number;
    o[(to + s + 2) | 0] = pairs[4 + ((condition[(s + 2) | 0] as number) & 1)] as number;
  }
}

/** The larger of an element and a number. */
export const largerFloats: FloatListAndNumbers = (o, to, a, from, x, y, z, n) => {
  if (isSpecial(x) || isSpecial(y) || isSpecial(z)) {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = Math.max(a[(from + s) | 0] as number, x);
      o[(to + s + 1) | 0] = Math.max(a[(from + s + 1) | 0] as number, y);
      o[(to + s + 2) | 0] = Math.max(a[(from + s + 2) | 0] as number, z);
    }
    return;
  }
  pairs[1] = x;
  pairs[3] = y;
  pairs[5] = z;
  // NaN is not at most a number, and is taken itself.
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const e = a[(from + s) | 0] as number;
    const f = a[(from + s + 1) | 0] as number;
    const g = a[(from + s + 2) | 0] as number;
    pairs[0] = e;
    pairs[2] = f;
    pairs[4] = g;
    o[(to + s) | 0] = pairs[+(e <= x)] as number;
    o[(to + s + 1) | 0] = pairs[2 + +(f <= y)] as number;
    o[(to + s + 2) | 0] = pairs[4 + +(g <= z)] as number;
  }
};

/** The smaller of an element and a number. */
export const smallerFloats: FloatListAndNumbers = (o, to, a, from, x, y, z, n) => {
  if (isSpecial(x) || isSpecial(y) || isSpecial(z)) {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = Math.min(a[(from + s) | 0] as number, x);
      o[(to + s + 1) | 0] = Math.min(a[(from + s + 1) | 0] as number, y);
      o[(to + s + 2) | 0] = Math.min(a[(from + s + 2) | 0] as number, z);
    }
    return;
  }
  pairs[1] = x;
  pairs[3] = y;
  pairs[5] = z;
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const e = a[(from + s) | 0] as number;
    const f = a[(from + s + 1) | 0] as number;
    const g = a[(from + s + 2) | 0] as number;
    pairs[0] = e;
    pairs[2] = f;
    pairs[4] = g;
    o[(to + s) | 0] = pairs[+(e > x)] as number;
    o[(to + s + 1) | 0] = pairs[2 + +(f > y)] as number;
    o[(to + s + 2) | 0] = pairs[4 + +(g > z)] as number;
  }
};

/** NaN, which no comparison finds, and −0, which comparisons take for 0. */
function isSpecial(x: number): boolean {
  return Number.isNaN(x) || Object.is(x, -0);
}
