/**
 * The loops of tile programs on floats, as {@link intLists} on integers. A list begins at an index of its own, since the
 * scores of a tile are read and written in place.
 */
import { floorDivideFloat, remainderFloat } from "../arithmetic.js";
import type { Doubles } from "./doubles.js";
import type {
  FloatComparison,
  FloatList,
  FloatListAndNumbers,
  FloatLists,
} from "./float-loop-types.js";
import { largerFloats, smallerFloats } from "./select-loops.js";

/** Operations on two lists. */
export const floatLists: Readonly<Record<string, FloatLists>> = {
  add: (o, to, a, from, b, second, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = (a[(from + s) | 0] as number) + (b[(second + s) | 0] as number);
      o[(to + s + 1) | 0] = (a[(from + s + 1) | 0] as number) + (b[(second + s + 1) | 0] as number);
      o[(to + s + 2) | 0] = (a[(from + s + 2) | 0] as number) + (b[(second + s + 2) | 0] as number);
    }
  },
  subtract: (o, to, a, from, b, second, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = (a[(from + s) | 0] as number) - (b[(second + s) | 0] as number);
      o[(to + s + 1) | 0] = (a[(from + s + 1) | 0] as number) - (b[(second + s + 1) | 0] as number);
      o[(to + s + 2) | 0] = (a[(from + s + 2) | 0] as number) - (b[(second + s + 2) | 0] as number);
    }
  },
  multiply: (o, to, a, from, b, second, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = (a[(from + s) | 0] as number) * (b[(second + s) | 0] as number);
      o[(to + s + 1) | 0] = (a[(from + s + 1) | 0] as number) * (b[(second + s + 1) | 0] as number);
      o[(to + s + 2) | 0] = (a[(from + s + 2) | 0] as number) * (b[(second + s + 2) | 0] as number);
    }
  },
  divide: (o, to, a, from, b, second, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = quotient(a[(from + s) | 0] as number, b[(second + s) | 0] as number);
      o[(to + s + 1) | 0] = quotient(
        a[(from + s + 1) | 0] as number,
        b[(second + s + 1) | 0] as number,
      );
      o[(to + s + 2) | 0] = quotient(
        a[(from + s + 2) | 0] as number,
        b[(second + s + 2) | 0] as number,
      );
    }
  },
  floorDivide: (o, to, a, from, b, second, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = floorDivideFloat(
        a[(from + s) | 0] as number,
        b[(second + s) | 0] as number,
      );
      o[(to + s + 1) | 0] = floorDivideFloat(
        a[(from + s + 1) | 0] as number,
        b[(second + s + 1) | 0] as number,
      );
      o[(to + s + 2) | 0] = floorDivideFloat(
        a[(from + s + 2) | 0] as number,
        b[(second + s + 2) | 0] as number,
      );
    }
  },
  remainder: (o, to, a, from, b, second, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = remainderFloat(a[(from + s) | 0] as number, b[(second + s) | 0] as number);
      o[(to + s + 1) | 0] = remainderFloat(
        a[(from + s + 1) | 0] as number,
        b[(second + s + 1) | 0] as number,
      );
      o[(to + s + 2) | 0] = remainderFloat(
        a[(from + s + 2) | 0] as number,
        b[(second + s + 2) | 0] as number,
      );
    }
  },
  minimum: (o, to, a, from, b, second, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = Math.min(a[(from + s) | 0] as number, b[(second + s) | 0] as number);
      o[(to + s + 1) | 0] = Math.min(
        a[(from + s + 1) | 0] as number,
        b[(second + s + 1) | 0] as number,
      );
      o[(to + s + 2) | 0] = Math.min(
        a[(from + s + 2) | 0] as number,
        b[(second + s + 2) | 0] as number,
      );
    }
  },
  maximum: (o, to, a, from, b, second, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = Math.max(a[(from + s) | 0] as number, b[(second + s) | 0] as number);
      o[(to + s + 1) | 0] = Math.max(
        a[(from + s + 1) | 0] as number,
        b[(second + s + 1) | 0] as number,
      );
      o[(to + s + 2) | 0] = Math.max(
        a[(from + s + 2) | 0] as number,
        b[(second + s + 2) | 0] as number,
      );
    }
  },
};

/** Operations on a list and numbers. `reverseSubtract` is number − list. */
export const floatListAndNumbers: Readonly<Record<string, FloatListAndNumbers>> = {
  add: (o, to, a, from, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = (a[(from + s) | 0] as number) + x;
      o[(to + s + 1) | 0] = (a[(from + s + 1) | 0] as number) + y;
      o[(to + s + 2) | 0] = (a[(from + s + 2) | 0] as number) + z;
    }
  },
  subtract: (o, to, a, from, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = (a[(from + s) | 0] as number) - x;
      o[(to + s + 1) | 0] = (a[(from + s + 1) | 0] as number) - y;
      o[(to + s + 2) | 0] = (a[(from + s + 2) | 0] as number) - z;
    }
  },
  reverseSubtract: (o, to, a, from, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = x - (a[(from + s) | 0] as number);
      o[(to + s + 1) | 0] = y - (a[(from + s + 1) | 0] as number);
      o[(to + s + 2) | 0] = z - (a[(from + s + 2) | 0] as number);
    }
  },
  multiply: (o, to, a, from, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = (a[(from + s) | 0] as number) * x;
      o[(to + s + 1) | 0] = (a[(from + s + 1) | 0] as number) * y;
      o[(to + s + 2) | 0] = (a[(from + s + 2) | 0] as number) * z;
    }
  },
  divide: (o, to, a, from, x, y, z, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = quotient(a[(from + s) | 0] as number, x);
      o[(to + s + 1) | 0] = quotient(a[(from + s + 1) | 0] as number, y);
      o[(to + s + 2) | 0] = quotient(a[(from + s + 2) | 0] as number, z);
    }
  },
  minimum: smallerFloats,
  maximum: largerFloats,
};

/** A division by 0 is 0. */
function quotient(a: number, b: number): number {
  return b === 0 ? 0 : a / b;
}

/** Operations on one list. */
export const floatList: Readonly<Record<string, FloatList>> = {
  copy: (o, to, a, from, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = a[(from + s) | 0] as number;
      o[(to + s + 1) | 0] = a[(from + s + 1) | 0] as number;
      o[(to + s + 2) | 0] = a[(from + s + 2) | 0] as number;
    }
  },
  negative: (o, to, a, from, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = -(a[(from + s) | 0] as number);
      o[(to + s + 1) | 0] = -(a[(from + s + 1) | 0] as number);
      o[(to + s + 2) | 0] = -(a[(from + s + 2) | 0] as number);
    }
  },
  abs: (o, to, a, from, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = Math.abs(a[(from + s) | 0] as number);
      o[(to + s + 1) | 0] = Math.abs(a[(from + s + 1) | 0] as number);
      o[(to + s + 2) | 0] = Math.abs(a[(from + s + 2) | 0] as number);
    }
  },
  floor: (o, to, a, from, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = Math.floor(a[(from + s) | 0] as number);
      o[(to + s + 1) | 0] = Math.floor(a[(from + s + 1) | 0] as number);
      o[(to + s + 2) | 0] = Math.floor(a[(from + s + 2) | 0] as number);
    }
  },
  sqrt: (o, to, a, from, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = Math.sqrt(a[(from + s) | 0] as number);
      o[(to + s + 1) | 0] = Math.sqrt(a[(from + s + 1) | 0] as number);
      o[(to + s + 2) | 0] = Math.sqrt(a[(from + s + 2) | 0] as number);
    }
  },
  exp: (o, to, a, from, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = Math.exp(a[(from + s) | 0] as number);
      o[(to + s + 1) | 0] = Math.exp(a[(from + s + 1) | 0] as number);
      o[(to + s + 2) | 0] = Math.exp(a[(from + s + 2) | 0] as number);
    }
  },
  log: (o, to, a, from, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = Math.log(a[(from + s) | 0] as number);
      o[(to + s + 1) | 0] = Math.log(a[(from + s + 1) | 0] as number);
      o[(to + s + 2) | 0] = Math.log(a[(from + s + 2) | 0] as number);
    }
  },
  tanh: (o, to, a, from, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[(to + s) | 0] = Math.tanh(a[(from + s) | 0] as number);
      o[(to + s + 1) | 0] = Math.tanh(a[(from + s + 1) | 0] as number);
      o[(to + s + 2) | 0] = Math.tanh(a[(from + s + 2) | 0] as number);
    }
  },
};

/** Comparisons of two lists. */
export const floatComparisons: Readonly<Record<string, FloatComparison>> = {
  equal: (o, a, from, b, second, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[s] = +((a[(from + s) | 0] as number) === (b[(second + s) | 0] as number));
      o[(s + 1) | 0] = +((a[(from + s + 1) | 0] as number) === (b[(second + s + 1) | 0] as number));
      o[(s + 2) | 0] = +((a[(from + s + 2) | 0] as number) === (b[(second + s + 2) | 0] as number));
    }
  },
  notEqual: (o, a, from, b, second, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[s] = +((a[(from + s) | 0] as number) !== (b[(second + s) | 0] as number));
      o[(s + 1) | 0] = +((a[(from + s + 1) | 0] as number) !== (b[(second + s + 1) | 0] as number));
      o[(s + 2) | 0] = +((a[(from + s + 2) | 0] as number) !== (b[(second + s + 2) | 0] as number));
    }
  },
  less: (o, a, from, b, second, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[s] = +((a[(from + s) | 0] as number) < (b[(second + s) | 0] as number));
      o[(s + 1) | 0] = +((a[(from + s + 1) | 0] as number) < (b[(second + s + 1) | 0] as number));
      o[(s + 2) | 0] = +((a[(from + s + 2) | 0] as number) < (b[(second + s + 2) | 0] as number));
    }
  },
  lessEqual: (o, a, from, b, second, n) => {
    for (let s = 0; s < n; s = (s + 3) | 0) {
      o[s] = +((a[(from + s) | 0] as number) <= (b[(second + s) | 0] as number));
      o[(s + 1) | 0] = +((a[(from + s + 1) | 0] as number) <= (b[(second + s + 1) | 0] as number));
      o[(s + 2) | 0] = +((a[(from + s + 2) | 0] as number) <= (b[(second + s + 2) | 0] as number));
    }
  },
};

/** Three numbers, over and over. */
export function fillFloats(
  o: Doubles,
  to: number,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  for (let s = 0; s < n; s = (s + 3) | 0) {
    o[(to + s) | 0] = x;
    o[(to + s + 1) | 0] = y;
    o[(to + s + 2) | 0] = z;
  }
}

/** Elements of a longer list: each three are those at three places, which then go forward by `step`. */
export function takeFloats(
  o: Doubles,
  to: number,
  from: Doubles,
  x: number,
  y: number,
  z: number,
  step: number,
  n: number,
): void {
  for (let s = 0, j = 0; s < n; s = (s + 3) | 0, j = (j + step) | 0) {
    o[(to + s) | 0] = from[(x + j) | 0] as number;
    o[(to + s + 1) | 0] = from[(y + j) | 0] as number;
    o[(to + s + 2) | 0] = from[(z + j) | 0] as number;
  }
}

export function intsToFloats(o: Doubles, to: number, a: Int32Array, n: number): void {
  for (let s = 0; s < n; s = (s + 1) | 0) o[(to + s) | 0] = a[s] as number;
}
