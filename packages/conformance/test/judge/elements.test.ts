import { tensor } from "@heed/core";
import { expect, test } from "vitest";
import { ieee754 } from "../../src/judge/arithmetic.js";
import { judgeElements } from "../../src/judge/elements.js";

test.each([
  [[3], "wrong in 1 of 1 rows"],
  [[2, 3], "wrong in 1 of 2 rows: query row 1 of 2"],
  [[2, 4, 3], "wrong in 1 of 8 rows: batch 1 of 2, query row 3 of 4"],
  [[2, 3, 4, 3], "wrong in 1 of 24 rows: batch 1 of 2, head 2 of 3, query row 3 of 4"],
])("the rows of a tensor %j that hold a wrong element are named", (shape, where) => {
  const expected = new Float64Array(shape.reduce((a, b) => a * b)).fill(1);
  const got = Float32Array.from(expected);
  got[got.length - 2] = 1.5;
  const judge = (data: Float32Array) =>
    judgeElements(tensor(data, shape), expected, ieee754, () => 0.25);
  expect(judge(got)).toMatchObject({ budgets: 2, where: [`output is ${where}`] });
  expect(judge(Float32Array.from(expected))).toMatchObject({ budgets: 0, where: [] });
});

test("a NaN may be anything only on arithmetic without numbers that are not finite", () => {
  const expected = Float64Array.of(Number.NaN, 1);
  const output = tensor(Float32Array.of(7, 1), [2]);
  const judge = (nonFinite: boolean) =>
    judgeElements(output, expected, { ...ieee754, nonFinite }, () => 0);
  expect(judge(true).budgets).toBe(Number.POSITIVE_INFINITY);
  expect(judge(false).budgets).toBe(0);
});
