import {
  floorDivideFloat,
  floorDivideInt32,
  remainderFloat,
  remainderInt32,
} from "./arithmetic.js";

/**
 * The loops of {@link TileProgram}: each does one operation on `n` elements. They are written out one by
 * one, since V8 compiles a loop well only for one kind of array.
 */
type Ints = Int32Array;
type Floats = Float64Array;

type Loop2<Out, In, Second> = (out: Out, a: In, b: Second, n: number) => void;

/** Operations on int32, of two lists. Results of comparisons are 0 and 1. */
export const intLists: Readonly<Record<string, Loop2<Ints, Ints, Ints>>> = {
  add: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) + (b[i] as number);
  },
  subtract: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) - (b[i] as number);
  },
  multiply: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.imul(a[i] as number, b[i] as number);
  },
  floorDivide: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = floorDivideInt32(a[i] as number, b[i] as number);
  },
  remainder: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = remainderInt32(a[i] as number, b[i] as number);
  },
  minimum: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.min(a[i] as number, b[i] as number);
  },
  maximum: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.max(a[i] as number, b[i] as number);
  },
  equal: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = a[i] === b[i] ? 1 : 0;
  },
  notEqual: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = a[i] !== b[i] ? 1 : 0;
  },
  less: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) < (b[i] as number) ? 1 : 0;
  },
  lessEqual: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) <= (b[i] as number) ? 1 : 0;
  },
  and: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) & (b[i] as number);
  },
  or: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) | (b[i] as number);
  },
};

/** Operations on int32, of a list and a number. `reverseSubtract` is b − a. */
export const intListAndNumber: Readonly<Record<string, Loop2<Ints, Ints, number>>> = {
  add: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) + b;
  },
  subtract: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) - b;
  },
  reverseSubtract: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = b - (a[i] as number);
  },
  multiply: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.imul(a[i] as number, b);
  },
  floorDivide: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = floorDivideInt32(a[i] as number, b);
  },
  remainder: (o, a, b, n) => {
    // As an int32 for V8, which otherwise divides doubles, ten times as slowly.
    const d = b | 0;
    if (d > 0) {
      for (let i = 0; i < n; i++) {
        const r = ((a[i] as number) % d) | 0;
        o[i] = r < 0 ? r + d : r;
      }
    } else for (let i = 0; i < n; i++) o[i] = remainderInt32(a[i] as number, b);
  },
  minimum: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.min(a[i] as number, b);
  },
  maximum: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.max(a[i] as number, b);
  },
  equal: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = a[i] === b ? 1 : 0;
  },
  notEqual: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = a[i] !== b ? 1 : 0;
  },
  less: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) < b ? 1 : 0;
  },
  lessEqual: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) <= b ? 1 : 0;
  },
  greater: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) > b ? 1 : 0;
  },
  greaterEqual: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) >= b ? 1 : 0;
  },
  and: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) & b;
  },
  or: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) | b;
  },
};

/** Operations on floats that give floats, of two lists. */
export const floatLists: Readonly<Record<string, Loop2<Floats, Floats, Floats>>> = {
  add: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) + (b[i] as number);
  },
  subtract: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) - (b[i] as number);
  },
  multiply: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) * (b[i] as number);
  },
  divide: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = b[i] === 0 ? 0 : (a[i] as number) / (b[i] as number);
  },
  floorDivide: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = floorDivideFloat(a[i] as number, b[i] as number);
  },
  remainder: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = remainderFloat(a[i] as number, b[i] as number);
  },
  minimum: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.min(a[i] as number, b[i] as number);
  },
  maximum: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.max(a[i] as number, b[i] as number);
  },
};

/** Operations on floats that give floats, of a list and a number. */
export const floatListAndNumber: Readonly<Record<string, Loop2<Floats, Floats, number>>> = {
  add: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) + b;
  },
  subtract: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) - b;
  },
  reverseSubtract: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = b - (a[i] as number);
  },
  multiply: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) * b;
  },
  divide: (o, a, b, n) => {
    if (b === 0) o.fill(0, 0, n);
    else for (let i = 0; i < n; i++) o[i] = (a[i] as number) / b;
  },
  minimum: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.min(a[i] as number, b);
  },
  maximum: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.max(a[i] as number, b);
  },
};

/** Comparisons of floats, of two lists. */
export const floatComparisons: Readonly<Record<string, Loop2<Ints, Floats, Floats>>> = {
  equal: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = a[i] === b[i] ? 1 : 0;
  },
  notEqual: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = a[i] !== b[i] ? 1 : 0;
  },
  less: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) < (b[i] as number) ? 1 : 0;
  },
  lessEqual: (o, a, b, n) => {
    for (let i = 0; i < n; i++) o[i] = (a[i] as number) <= (b[i] as number) ? 1 : 0;
  },
};

/** Operations on one list of int32. */
export const intList: Readonly<Record<string, (out: Ints, a: Ints, n: number) => void>> = {
  negative: (o, a, n) => {
    for (let i = 0; i < n; i++) o[i] = -(a[i] as number);
  },
  abs: (o, a, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.abs(a[i] as number);
  },
  not: (o, a, n) => {
    for (let i = 0; i < n; i++) o[i] = 1 - (a[i] as number);
  },
};

/** Operations on one list of floats. */
export const floatList: Readonly<Record<string, (out: Floats, a: Floats, n: number) => void>> = {
  negative: (o, a, n) => {
    for (let i = 0; i < n; i++) o[i] = -(a[i] as number);
  },
  abs: (o, a, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.abs(a[i] as number);
  },
  floor: (o, a, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.floor(a[i] as number);
  },
  sqrt: (o, a, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.sqrt(a[i] as number);
  },
  exp: (o, a, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.exp(a[i] as number);
  },
  log: (o, a, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.log(a[i] as number);
  },
  tanh: (o, a, n) => {
    for (let i = 0; i < n; i++) o[i] = Math.tanh(a[i] as number);
  },
};

/** `out = condition ? a : b`. */
export function chooseInts(o: Ints, condition: Ints, a: Ints, b: Ints, n: number): void {
  for (let i = 0; i < n; i++) o[i] = (condition[i] !== 0 ? a[i] : b[i]) as number;
}

/** `out = condition ? a : b`. */
export function chooseFloats(o: Floats, condition: Ints, a: Floats, b: Floats, n: number): void {
  for (let i = 0; i < n; i++) o[i] = (condition[i] !== 0 ? a[i] : b[i]) as number;
}

/** Copies `n` elements of a longer list, from `start` on. */
export function copyInts(o: Ints, from: Ints, start: number, n: number): void {
  for (let i = 0; i < n; i++) o[i] = from[start + i] as number;
}

/** Copies `n` elements of a longer list, from `start` on. */
export function copyFloats(o: Floats, from: Floats, start: number, n: number): void {
  for (let i = 0; i < n; i++) o[i] = from[start + i] as number;
}

/** Adds clamped indices of an axis, times its stride, to offsets. */
export function addOffsets(
  offsets: Ints,
  indices: Ints,
  size: number,
  stride: number,
  n: number,
): void {
  for (let i = 0; i < n; i++) {
    const index = indices[i] as number;
    (offsets[i] as number) += (index < 0 ? 0 : index < size ? index : size - 1) * stride;
  }
}

export function gatherInts(o: Ints, data: Int32Array, offsets: Ints, n: number): void {
  for (let i = 0; i < n; i++) o[i] = data[offsets[i] as number] as number;
}

export function gatherBools(o: Ints, data: Uint8Array, offsets: Ints, n: number): void {
  for (let i = 0; i < n; i++) o[i] = data[offsets[i] as number] !== 0 ? 1 : 0;
}

export function gatherFloats(o: Floats, data: Float32Array, offsets: Ints, n: number): void {
  for (let i = 0; i < n; i++) o[i] = data[offsets[i] as number] as number;
}

export function intsToFloats(o: Floats, a: Ints, n: number): void {
  for (let i = 0; i < n; i++) o[i] = a[i] as number;
}

export function intsToBools(o: Ints, a: Ints, n: number): void {
  for (let i = 0; i < n; i++) o[i] = a[i] !== 0 ? 1 : 0;
}

export function floatsToBools(o: Ints, a: Floats, n: number): void {
  for (let i = 0; i < n; i++) o[i] = a[i] !== 0 ? 1 : 0;
}
