/** Results of candidates beside those of the rule's choice. */
import { fromFloat64 } from "@heed/core";
import { expect, test } from "vitest";
import { Expected } from "../../src/attention/tuning/agreement.js";

const rows = [
  [1, -2, 3, 0.5],
  [0.001, 0.002, -0.003, 0.001],
];
const tensorOf = (
  values: readonly (readonly number[])[],
  dtype: "float32" | "float16" = "float32",
) => fromFloat64(values.flat(), [1, 1, values.length, 4], dtype);
const changed = (row: number, column: number, value: number) =>
  rows.map((r, i) => r.map((x, j) => (i === row && j === column ? value : x)));

test("another order of sums agrees, and a difference in a row of small numbers does not", () => {
  const expected = new Expected("output", tensorOf(rows));
  expect(expected.useless()).toBe(null);
  expect(expected.difference(tensorOf(rows))).toBe(null);
  expect(expected.difference(tensorOf(changed(0, 1, -2.000001)))).toBe(null);
  expect(expected.difference(tensorOf(changed(1, 0, 0)))).toMatch(
    /output differs in row 1: by 1.0e-3/,
  );
  expect(expected.difference(tensorOf(changed(0, 3, 0.51)))).toMatch(/row 0/);
});

test("float16 agrees within its rounding, and no further", () => {
  const expected = new Expected("output", tensorOf(rows, "float16"));
  expect(expected.difference(tensorOf(changed(0, 1, -2.002), "float16"))).toBe(null);
  expect(expected.difference(tensorOf(changed(0, 1, -2.2), "float16"))).toMatch(/row 0/);
});

test("NaN and infinities are differences, unless both have the same infinity", () => {
  const empty = [[Number.NEGATIVE_INFINITY, 1, 2, 3]];
  const expected = new Expected("logSumExp", tensorOf(empty));
  expect(expected.difference(tensorOf(empty))).toBe(null);
  expect(expected.difference(tensorOf([[0, 1, 2, 3]]))).toMatch(/0 instead of -Infinity/);
  expect(expected.difference(tensorOf([[Number.NEGATIVE_INFINITY, 1, Number.NaN, 3]]))).toMatch(
    /NaN/,
  );
});

test("results without any number to compare with are of no use", () => {
  expect(new Expected("output", tensorOf([[0, 0, 0, 0]])).useless()).toMatch(/all zeros/);
  expect(new Expected("output", tensorOf([[0, Number.NaN, 0, 1]])).useless()).toMatch(/NaN/);
});
