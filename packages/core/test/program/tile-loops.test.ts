/** The loops of tile programs, one by one, against the operations on numbers that they repeat: all elements, and no others. */
import { doubles, tanhFloat32 } from "@heed/core/program";
import { describe, expect, test } from "vitest";
import { applyOperation } from "../../src/program/arithmetic.js";
import {
  fillFloats,
  floatComparisons,
  floatList,
  floatListAndNumbers,
  floatLists,
  intsToFloats,
  takeFloats,
} from "../../src/program/tile/float-loops.js";
import { addProducts, addShiftedProducts, capFloats } from "../../src/program/tile/fused-loops.js";
import {
  chooseInts,
  fillInts,
  floatsToBools,
  floatsToInts,
  intList,
  intListAndNumbers,
  intLists,
  takeInts,
} from "../../src/program/tile/int-loops.js";
import { chooseFloats } from "../../src/program/tile/select-loops.js";
import * as tables from "../../src/program/tile/table-loops.js";
import type { OperationName, ProgramType } from "../../src/program/types.js";

const { POSITIVE_INFINITY: inf, NaN: nan } = Number;
/** Elements that are written, of a list of `length`; where lists begin, and the longer ones' first elements. */
const [n, length, to, from, second] = [12, 24, 3, 5, 1];

const floats = [1.5, -2, 0, -0, nan, inf, -inf, 1e20, 3, 3, -0.25, 7, 0.5, -1e-20, 2, 5, -3.5, 4];
const ints = [
  0,
  1,
  -1,
  7,
  -7,
  2 ** 31 - 1,
  -(2 ** 31),
  12,
  5,
  -12,
  3,
  2 ** 30,
  100,
  -100,
  6,
  2,
  9,
  4,
];
/** A list of one kind of elements, from another of them on. */
const listOf = <T extends number[] | Int32Array>(
  make: (count: number) => T,
  of: readonly number[],
  shift: number,
): T => {
  const list = make(length);
  for (let at = 0; at < length; at++) list[at] = of[(at * 5 + shift) % of.length] as number;
  return list;
};
const doublesOf = (shift: number, of = floats) => listOf(doubles, of, shift);
const intsOf = (shift: number, of = ints) => listOf((count) => new Int32Array(count), of, shift);

/** Fails unless a loop has written elements from `at` on, and no others. */
function expectWritten(
  o: ArrayLike<number>,
  at: number,
  expected: (s: number) => number,
  label: string,
) {
  const whole = Array.from({ length }, (_, place) =>
    place >= at && place < at + n ? expected(place - at) : 77,
  );
  expect([label, Array.from(o)]).toEqual([label, whole]);
}
const outDoubles = () => doubles(length).fill(77);
const outInts = () => new Int32Array(length).fill(77);

const apply = (name: string, type: ProgramType, a: number, b = 0): number => {
  if (name === "reverseSubtract") return applyOperation("subtract", type, type, b, a, 0);
  if (name === "copy") return a;
  if (name === "truth") return a !== 0 ? 1 : 0;
  return applyOperation(name as OperationName, type, type, a, b, 0);
};
const numbersOf = (of: readonly number[]): readonly (readonly [number, number, number])[] => [
  ...of.map((x) => [x, x, x] as const),
  ...of.map(
    (x, at) => [x, of[(at + 1) % of.length] as number, of[(at + 5) % of.length] as number] as const,
  ),
];
const isLogic = (name: string) => ["and", "or", "not"].includes(name);

test.each(Object.entries(floatLists))("floats: %s of two lists", (name, loop) => {
  for (let shift = 0; shift < floats.length; shift++) {
    const [o, a, b] = [outDoubles(), doublesOf(0), doublesOf(shift)];
    loop(o, to, a, from, b, second, n);
    expectWritten(
      o,
      to,
      (s) => apply(name, "float32", a[from + s] as number, b[second + s]),
      `${name} ${shift}`,
    );
  }
});

test.each(Object.entries(floatListAndNumbers))("floats: %s of a list and numbers", (name, loop) => {
  for (const [x, y, z] of numbersOf(floats)) {
    const [o, a] = [outDoubles(), doublesOf(2)];
    loop(o, to, a, from, x, y, z, n);
    const of = (s: number) => [x, y, z][s % 3] as number;
    expectWritten(
      o,
      to,
      (s) => apply(name, "float32", a[from + s] as number, of(s)),
      `${name} ${x} ${y} ${z}`,
    );
  }
});

test.each(Object.entries(floatList))("floats: %s", (name, loop) => {
  const [o, a] = [outDoubles(), doublesOf(1)];
  loop(o, to, a, from, n);
  expectWritten(o, to, (s) => apply(name, "float32", a[from + s] as number), name);
});

test.each(Object.entries(floatComparisons))("floats: %s", (name, loop) => {
  for (let shift = 0; shift < floats.length; shift++) {
    const [o, a, b] = [outInts(), doublesOf(0), doublesOf(shift)];
    loop(o, a, from, b, second, n);
    expectWritten(
      o,
      0,
      (s) => apply(name, "float32", a[from + s] as number, b[second + s]),
      `${name} ${shift}`,
    );
  }
});

test.each(Object.entries(intLists))("integers: %s of two lists", (name, loop) => {
  const type = isLogic(name) ? "bool" : "int32";
  const of = isLogic(name) ? [0, 1, 1, 0, 0] : ints;
  for (let shift = 0; shift < of.length; shift++) {
    const [o, a, b] = [outInts(), intsOf(0, of), intsOf(shift, of)];
    loop(o, a, b, n);
    expectWritten(o, 0, (s) => apply(name, type, a[s] as number, b[s]), `${name} ${shift}`);
  }
});

test.each(Object.entries(intListAndNumbers))("integers: %s of a list and numbers", (name, loop) => {
  const type = isLogic(name) ? "bool" : "int32";
  const of = isLogic(name) ? [0, 1, 1, 0, 0, 1, 0] : ints;
  for (const [x, y, z] of numbersOf(of)) {
    const [o, a] = [outInts(), intsOf(1, of)];
    loop(o, a, x, y, z, n);
    const number = (s: number) => [x, y, z][s % 3] as number;
    expectWritten(
      o,
      0,
      (s) => apply(name, type, a[s] as number, number(s)),
      `${name} ${x} ${y} ${z}`,
    );
  }
});

test.each(Object.entries(intList))("integers: %s", (name, loop) => {
  const [o, a] = [outInts(), isLogic(name) ? intsOf(0, [0, 1, 1]) : intsOf(0)];
  loop(o, a, n);
  expectWritten(
    o,
    0,
    (s) => apply(name, isLogic(name) ? "bool" : "int32", a[s] as number) | 0,
    name,
  );
});

test("conversions", () => {
  const [o, a] = [outInts(), doublesOf(0)];
  floatsToInts(o, a, from, n);
  expectWritten(
    o,
    0,
    (s) => applyOperation("astype", "float32", "int32", a[from + s] as number, 0, 0),
    "to integers",
  );
  floatsToBools(o, a, from, n);
  expectWritten(
    o,
    0,
    (s) => applyOperation("astype", "float32", "bool", a[from + s] as number, 0, 0),
    "to bools",
  );
  const [p, b] = [outDoubles(), intsOf(0)];
  intsToFloats(p, to, b, n);
  expectWritten(p, to, (s) => b[s] as number, "to floats");
});

test("choices", () => {
  const conditions = intsOf(0, [0, 1, 1, 0, 1]);
  const [o, a, b] = [outDoubles(), doublesOf(0), doublesOf(4)];
  chooseFloats(o, to, conditions, a, from, b, second, n);
  expectWritten(o, to, (s) => (conditions[s] ? a[from + s] : b[second + s]) as number, "floats");
  const [p, c, d] = [outInts(), intsOf(0), intsOf(4)];
  chooseInts(p, conditions, c, d, n);
  expectWritten(p, 0, (s) => (conditions[s] ? c[s] : d[s]) as number, "integers");
});

test("numbers over and over, and pieces of longer lists", () => {
  const [o, p] = [outDoubles(), outInts()];
  fillFloats(o, to, 1.5, -2, 3, n);
  expectWritten(o, to, (s) => [1.5, -2, 3][s % 3] as number, "floats");
  fillInts(p, 1, -2, 3, n);
  expectWritten(p, 0, (s) => [1, -2, 3][s % 3] as number, "integers");
  for (const step of [1, 3]) {
    const place = (s: number) => ([2, 7, 4][s % 3] as number) + step * Math.floor(s / 3);
    const [q, r, a, b] = [outDoubles(), outInts(), doublesOf(0), intsOf(0)];
    takeFloats(q, to, a, 2, 7, 4, step, n);
    expectWritten(q, to, (s) => a[place(s)] as number, `floats, ${step} at a time`);
    takeInts(r, b, 2, 7, 4, step, n);
    expectWritten(r, 0, (s) => b[place(s)] as number, `integers, ${step} at a time`);
  }
});

/** Finite numbers, whose products and sums are exact. */
const exact = [1.5, -2, 0.5, 3, -0.25, 7, 2, -1, 4];
const scale = [0.5, -2, 4];
const add = (o: readonly number[], s: number, x: number) =>
  (o[to + s] as number) * (scale[s % 3] as number) + x;

/** As {@link expectWritten}, of a loop that adds to what is there. */
function expectAdded(run: (o: number[]) => void, added: (s: number) => number, label: string) {
  const before = doublesOf(3, exact);
  const o = [...before];
  run(o);
  const expected = before.map((x, at) =>
    at >= to && at < to + n ? add(before, at - to, added(at - to)) : x,
  );
  expect([label, o]).toEqual([label, expected]);
}

test("sums with products and with pieces", () => {
  const a = doublesOf(0, exact);
  const [x, y, z] = [2, -0.5, 8];
  const by = (s: number) => [x, y, z][s % 3] as number;
  expectAdded(
    (o) => addProducts(o, to, scale, a, from, x, y, z, n),
    (s) => (a[from + s] as number) * by(s),
    "products",
  );
  for (const step of [1, 3]) {
    const place = (s: number) => ([2, 7, 4][s % 3] as number) + step * Math.floor(s / 3);
    expectAdded(
      (o) => addShiftedProducts(o, to, scale, a, 2, 7, 4, step, x, y, z, n),
      (s) => (a[place(s)] as number) * by(s),
      `pieces, ${step} at a time`,
    );
  }
});

test("caps", () => {
  const [o, a] = [outDoubles(), doublesOf(0)];
  const [inner, outer] = [
    [0.5, 0.25, 2],
    [3, -1, 50],
  ];
  capFloats(o, to, a, from, inner, outer, n);
  const of = (s: number) =>
    tanhFloat32((a[from + s] as number) * (inner[s % 3] as number)) * (outer[s % 3] as number);
  expectWritten(o, to, of, "caps");
});

describe("tables", () => {
  const data = Float32Array.from({ length: 60 }, (_, at) => ((at * 7) % 31) / 4);
  const integers = Int32Array.from(data, (x) => 4 * x);
  const truths = Uint8Array.from(data, (_, at) => (at % 3 === 0 ? 0 : at % 5));
  const offsets = Int32Array.from({ length }, (_, s) => (s * 11) % 23);
  const shared = Int32Array.from({ length }, (_, s) => (Math.floor(s / 3) * 4) % 17);
  const starts = [5, 20, 33] as const;
  const place = (s: number) => (offsets[s] as number) + (starts[s % 3] as number);
  const placeOfKey = (s: number) => (shared[s] as number) + (starts[s % 3] as number);

  test("elements at offsets", () => {
    const [o, p] = [outInts(), outDoubles()];
    tables.gatherInts(o, integers, offsets, ...starts, n);
    expectWritten(o, 0, (s) => integers[place(s)] as number, "integers");
    tables.gatherBools(o, truths, offsets, ...starts, n);
    expectWritten(o, 0, (s) => (truths[place(s)] === 0 ? 0 : 1), "bools");
    tables.gatherFloats(p, to, data, offsets, ...starts, n);
    expectWritten(p, to, (s) => data[place(s)] as number, "floats");
    tables.gatherFloatsOfKeys(p, to, data, shared, ...starts, n);
    expectWritten(p, to, (s) => data[placeOfKey(s)] as number, "floats of keys");
    expectAdded(
      (q) => tables.addFloats(q, to, scale, data, offsets, ...starts, n),
      (s) => data[place(s)] as number,
      "added",
    );
    expectAdded(
      (q) => tables.addFloatsOfKeys(q, to, scale, data, shared, ...starts, n),
      (s) => data[placeOfKey(s)] as number,
      "added, of keys",
    );
  });

  test("elements one after another", () => {
    for (const step of [1, 3]) {
      const run = (s: number) => (starts[s % 3] as number) + step * Math.floor(s / 3);
      const p = outDoubles();
      tables.takeRuns(p, to, data, ...starts, step, n);
      expectWritten(p, to, (s) => data[run(s)] as number, `${step} at a time`);
      expectAdded(
        (q) => tables.addRuns(q, to, scale, data, ...starts, step, n),
        (s) => data[run(s)] as number,
        `added, ${step} at a time`,
      );
    }
  });

  test("indices, which are clamped to their axis", () => {
    const list = intsOf(0);
    const axis = { list, size: 6, stride: 10 };
    const clamp = (index: number) => 10 * Math.max(0, Math.min(5, index));
    const o = outInts();
    tables.addOffsets(o, offsets, axis, n);
    expectWritten(o, 0, (s) => (offsets[s] as number) + clamp(list[s] as number), "offsets");
    const sums = outInts();
    tables.addOffsetsOfSums(sums, axis, 3, -4, 2 ** 31 - 1, n);
    const plus = (s: number) => [3, -4, 2 ** 31 - 1][s % 3] as number;
    expectWritten(sums, 0, (s) => 77 + clamp(((list[s] as number) + plus(s)) | 0), "sums");
    const products = outInts();
    tables.addProducts(products, offsets, 7, n);
    expectWritten(products, 0, (s) => 77 + 7 * (offsets[s] as number), "products");
  });
});
