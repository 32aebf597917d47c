import type { FloatDType } from "@heed/core";
import { describe, expect, test } from "vitest";
import { compareRows } from "../../src/judge/compare.js";

interface Row {
  readonly got: number;
  readonly expected: number;
  readonly naive?: number;
  readonly oracle?: number;
}

/** Rows of one element, with a floor of 1 and twice the naive error. */
function compare(rows: readonly Row[], dtype: FloatDType = "float32") {
  const of = (pick: (row: Row) => number): Float64Array => Float64Array.from(rows, pick);
  return compareRows({
    name: "output",
    shape: [rows.length, 1],
    rowSize: 1,
    dtype,
    got: of(({ got }) => got),
    expected: of(({ expected }) => expected),
    naive: of(({ naive, expected }) => naive ?? expected),
    oracle: of(({ oracle, expected }) => oracle ?? expected),
    factor: 2,
    floor: () => 1,
  });
}

describe("a row", () => {
  test("passes at exactly what is allowed, and fails by one bit more", () => {
    expect(compare([{ got: 11, expected: 10 }]).worst?.budgets).toBe(1);
    expect(compare([{ got: 11, expected: 10 }]).wrongRows).toEqual([]);
    expect(compare([{ got: 11 + 2 ** -49, expected: 10 }]).wrongRows).toEqual([0]);
  });

  test("is allowed its own naive error, not another row's", () => {
    const { wrongRows } = compare([
      { got: 15, expected: 10, naive: 12 },
      { got: 15, expected: 10 },
    ]);
    expect(wrongRows).toEqual([1]);
  });

  test("is allowed what the naive evaluation is from the oracle, not from the recording", () => {
    expect(compare([{ got: 13, expected: 10, naive: 10, oracle: 11 }]).wrongRows).toEqual([]);
    expect(compare([{ got: 13, expected: 10, naive: 11, oracle: 11 }]).wrongRows).toEqual([0]);
  });

  test("is allowed nothing for a naive evaluation that overflows", () => {
    expect(compare([{ got: 12, expected: 10, naive: Infinity }]).wrongRows).toEqual([0]);
  });
});

describe("a number", () => {
  test("that is NaN is infinitely wrong", () => {
    const { worst, wrongRows, nmse } = compare([{ got: Number.NaN, expected: 10 }]);
    expect([worst?.budgets, wrongRows, nmse]).toEqual([Infinity, [0], Infinity]);
  });

  test("beyond the dtype's range may be the largest or infinite, of its sign", () => {
    for (const got of [65504, Infinity, 70000]) {
      expect(compare([{ got, expected: 80000 }], "float16").wrongRows).toEqual([]);
    }
    for (const got of [-Infinity, 65472, Number.NaN]) {
      expect(compare([{ got, expected: 80000 }], "float16").wrongRows).toEqual([0]);
    }
    expect(compare([{ got: Infinity, expected: 65472 }], "float16").wrongRows).toEqual([0]);
  });

  test("that is −∞ is right only where it is expected", () => {
    expect(compare([{ got: -Infinity, expected: -Infinity }]).worst?.budgets).toBe(0);
    expect(compare([{ got: 0, expected: -Infinity }]).wrongRows).toEqual([0]);
    expect(compare([{ got: -Infinity, expected: 0 }]).wrongRows).toEqual([0]);
  });

  test("that is −0 is 0", () => {
    expect(compare([{ got: -0, expected: 0 }]).worst?.budgets).toBe(0);
  });
});

test("the worst element is told by its index, and the mean-square error is over all", () => {
  const { worst, nmse } = compare([
    { got: 3, expected: 3 },
    { got: 9, expected: 4 },
  ]);
  expect(worst).toEqual({ output: "output", index: [1, 0], expected: 4, got: 9, budgets: 5 });
  expect(nmse).toBe(25 / 25);
});
