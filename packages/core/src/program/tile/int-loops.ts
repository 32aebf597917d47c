/**
 * The loops of tile programs on int32 and bool. Each does one operation on `n` elements, a multiple of three, three of them
 * at a time: a loop's own work then costs a third, and three numbers of a panel's rows are at hand. They are written
 * out one by one, since V8 compiles a loop well only for one kind of array, and indices end in `| 0`, without
 * which V8 checks each for overflow.
 */
import { convert, floorDivideInt32, remainderInt32 } from "../arithmetic.js";
import type { Doubles } from "./doubles.js";

type Ints = Int32Array;

/** An operation on two lists. */
export type IntLists = (o: Ints, a: Ints, b: Ints, n: number) => void;

/** An operation on a list and three numbers, one for each of three elements that follow one another. */
export type IntListAndNumbers = (
  o: Ints,
  a: Ints,
  x: number,
  y: number,
  z: number,
  n: number,
) => void;

/** Operations on two lists. Results of comparisons are 0 and 1. */
export const intLists: Readonly<Record<string, IntLists>> = {
  add: (o, a, b, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = (a[s] as number) + (b[s] as number);
      o[t] = (a[t] as number) + (b[t] as number);
      o[u] = (a[u] as number) + (b[u] as number);
    }
  },
  subtract: (o, a, b, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = (a[s] as number) - (b[s] as number);
      o[t] = (a[t] as number) - (b[t] as number);
      o[u] = (a[u] as number) - (b[u] as number);
    }
  },
  multiply: (o, a, b, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = Math.imul(a[s] as number, b[s] as number);
      o[t] = Math.imul(a[t] as number, b[t] as number);
      o[u] = Math.imul(a[u] as number, b[u] as number);
    }
  },
  floorDivide: (o, a, b, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = floorDivideInt32(a[s] as number, b[s] as number);
      o[t] = floorDivideInt32(a[t] as number, b[t] as number);
      o[u] = floorDivideInt32(a[u] as number, b[u] as number);
    }
  },
  remainder: (o, a, b, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = remainderInt32(a[s] as number, b[s] as number);
      o[t] = remainderInt32(a[t] as number, b[t] as number);
      o[u] = remainderInt32(a[u] as number, b[u] as number);
    }
  },
  minimum: (o, a, b, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = Math.min(a[s] as number, b[s] as number);
      o[t] = Math.min(a[t] as number, b[t] as number);
      o[u] = Math.min(a[u] as number, b[u] as number);
    }
  },
  maximum: (o, a, b, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = Math.max(a[s] as number, b[s] as number);
      o[t] = Math.max(a[t] as number, b[t] as number);
      o[u] = Math.max(a[u] as number, b[u] as number);
    }
  },
  equal: (o, a, b, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = +((a[s] as number) === (b[s] as number));
      o[t] = +((a[t] as number) === (b[t] as number));
      o[u] = +((a[u] as number) === (b[u] as number));
    }
  },
  notEqual: (o, a, b, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = +((a[s] as number) !== (b[s] as number));
      o[t] = +((a[t] as number) !== (b[t] as number));
      o[u] = +((a[u] as number) !== (b[u] as number));
    }
  },
  less: (o, a, b, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = +((a[s] as number) < (b[s] as number));
      o[t] = +((a[t] as number) < (b[t] as number));
      o[u] = +((a[u] as number) < (b[u] as number));
    }
  },
  lessEqual: (o, a, b, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = +((a[s] as number) <= (b[s] as number));
      o[t] = +((a[t] as number) <= (b[t] as number));
      o[u] = +((a[u] as number) <= (b[u] as number));
    }
  },
  and: (o, a, b, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = (a[s] as number) & (b[s] as number);
      o[t] = (a[t] as number) & (b[t] as number);
      o[u] = (a[u] as number) & (b[u] as number);
    }
  },
  or: (o, a, b, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = (a[s] as number) | (b[s] as number);
      o[t] = (a[t] as number) | (b[t] as number);
      o[u] = (a[u] as number) | (b[u] as number);
    }
  },
};

/** Operations on a list and numbers. `reverseSubtract` is number − list. */
export const intListAndNumbers: Readonly<Record<string, IntListAndNumbers>> = {
  add: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = (a[s] as number) + x;
      o[t] = (a[t] as number) + y;
      o[u] = (a[u] as number) + z;
    }
  },
  subtract: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = (a[s] as number) - x;
      o[t] = (a[t] as number) - y;
      o[u] = (a[u] as number) - z;
    }
  },
  reverseSubtract: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = x - (a[s] as number);
      o[t] = y - (a[t] as number);
      o[u] = z - (a[u] as number);
    }
  },
  multiply: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = Math.imul(a[s] as number, x);
      o[t] = Math.imul(a[t] as number, y);
      o[u] = Math.imul(a[u] as number, z);
    }
  },
  floorDivide: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = floorDivideInt32(a[s] as number, x);
      o[t] = floorDivideInt32(a[t] as number, y);
      o[u] = floorDivideInt32(a[u] as number, z);
    }
  },
  remainder: (o, a, x, y, z, n) => {
    if (x === y && y === z && x > 0) {
      remainders(o, a, x, n);
      return;
    }
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = remainderInt32(a[s] as number, x);
      o[t] = remainderInt32(a[t] as number, y);
      o[u] = remainderInt32(a[u] as number, z);
    }
  },
  minimum: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = Math.min(a[s] as number, x);
      o[t] = Math.min(a[t] as number, y);
      o[u] = Math.min(a[u] as number, z);
    }
  },
  maximum: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = Math.max(a[s] as number, x);
      o[t] = Math.max(a[t] as number, y);
      o[u] = Math.max(a[u] as number, z);
    }
  },
  equal: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = +((a[s] as number) === x);
      o[t] = +((a[t] as number) === y);
      o[u] = +((a[u] as number) === z);
    }
  },
  notEqual: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = +((a[s] as number) !== x);
      o[t] = +((a[t] as number) !== y);
      o[u] = +((a[u] as number) !== z);
    }
  },
  less: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = +((a[s] as number) < x);
      o[t] = +((a[t] as number) < y);
      o[u] = +((a[u] as number) < z);
    }
  },
  lessEqual: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = +((a[s] as number) <= x);
      o[t] = +((a[t] as number) <= y);
      o[u] = +((a[u] as number) <= z);
    }
  },
  greater: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = +((a[s] as number) > x);
      o[t] = +((a[t] as number) > y);
      o[u] = +((a[u] as number) > z);
    }
  },
  greaterEqual: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = +((a[s] as number) >= x);
      o[t] = +((a[t] as number) >= y);
      o[u] = +((a[u] as number) >= z);
    }
  },
  and: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = (a[s] as number) & x;
      o[t] = (a[t] as number) & y;
      o[u] = (a[u] as number) & z;
    }
  },
  or: (o, a, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = (a[s] as number) | x;
      o[t] = (a[t] as number) | y;
      o[u] = (a[u] as number) | z;
    }
  },
};

/**
 * Remainders of one positive divisor, by its reciprocal. A quotient of an integer and a half is at least 0.5 / d away from the
 * next integer, and the product's error is at most 2^-21 / d, so that its floor is the quotient's.
 */
function remainders(o: Ints, a: Ints, divisor: number, n: number): void {
  const d = divisor | 0;
  const reciprocal = 1 / d;
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    const x = a[s] as number;
    const y = a[t] as number;
    const z = a[u] as number;
    o[s] = (x - Math.imul(Math.floor((x + 0.5) * reciprocal), d)) | 0;
    o[t] = (y - Math.imul(Math.floor((y + 0.5) * reciprocal), d)) | 0;
    o[u] = (z - Math.imul(Math.floor((z + 0.5) * reciprocal), d)) | 0;
  }
}

/** Operations on one list. */
export const intList: Readonly<Record<string, (o: Ints, a: Ints, n: number) => void>> = {
  negative: (o, a, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = -(a[s] as number);
      o[t] = -(a[t] as number);
      o[u] = -(a[u] as number);
    }
  },
  abs: (o, a, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = Math.abs(a[s] as number);
      o[t] = Math.abs(a[t] as number);
      o[u] = Math.abs(a[u] as number);
    }
  },
  not: (o, a, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = 1 - (a[s] as number);
      o[t] = 1 - (a[t] as number);
      o[u] = 1 - (a[u] as number);
    }
  },
  /** The int32 of a bool. */
  copy: (o, a, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = a[s] as number;
      o[t] = a[t] as number;
      o[u] = a[u] as number;
    }
  },
  /** Whether an int32 is not 0. */
  truth: (o, a, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      const t = (s + 1) | 0;
      const u = (s + 2) | 0;
      o[s] = +((a[s] as number) !== 0);
      o[t] = +((a[t] as number) !== 0);
      o[u] = +((a[u] as number) !== 0);
    }
  },
};

/** `o = condition ? a : b`. */
export function chooseInts(o: Ints, condition: Ints, a: Ints, b: Ints, n: number): void {
  for (let s = 0; s < n; s = (s + 1) | 0) {
    o[s] = (condition[s] !== 0 ? a[s] : b[s]) as number;
  }
}

/** Three numbers, over and over. */
export function fillInts(o: Ints, x: number, y: number, z: number, n: number): void {
  for (let s = 0; s < n; s = (s + 3) | 0) {
    o[s] = x;
    o[(s + 1) | 0] = y;
    o[(s + 2) | 0] = z;
  }
}

/** Elements of a longer list: each three are those at three places, which then go forward by `step`. */
export function takeInts(
  o: Ints,
  from: Ints,
  x: number,
  y: number,
  z: number,
  step: number,
  n: number,
): void {
  for (let s = 0, j = 0; s < n; s = (s + 3) | 0, j = (j + step) | 0) {
    o[s] = from[(x + j) | 0] as number;
    o[(s + 1) | 0] = from[(y + j) | 0] as number;
    o[(s + 2) | 0] = from[(z + j) | 0] as number;
  }
}

/** Floats as int32, as `convert` defines it. */
export function floatsToInts(o: Ints, a: Doubles, from: number, n: number): void {
  for (let s = 0; s < n; s = (s + 1) | 0) o[s] = convert(a[(from + s) | 0] as number, "int32");
}

/** Whether a float is not 0. */
export function floatsToBools(o: Ints, a: Doubles, from: number, n: number): void {
  for (let s = 0; s < n; s = (s + 1) | 0) o[s] = +(a[(from + s) | 0] !== 0);
}
