import { Random } from "@heed/conformance";
import { toFloat64 } from "@heed/core";
import { expect, test } from "vitest";
import { expFloat32 } from "../src/attention/exp.js";
import { RowProducts } from "../src/attention/kernels/row-products.js";
import { softmaxStep } from "../src/attention/kernels/softmax.js";
import { tileScores, tileValues } from "../src/attention/kernels/tile.js";

const random = new Random("products");
const numbers = (length: number): number[] =>
  Array.from(toFloat64(random.tensor([length], "float64")));

test("rows that are multiplied from arrays of their own give the bits of panels", () => {
  for (const keys of [1, 2, 3, 4, 5, 6, 7, 9, 12, 15, 66]) {
    for (const [size, columns] of [
      [1, 4],
      [5, 8],
      [64, 64],
    ] as const) {
      const padded = Math.ceil(keys / 3) * 3;
      const [rows, stride] = [12, padded + 3];
      const products = new RowProducts(size, stride, columns);
      const query = numbers(rows * size);
      const key = numbers(padded * size);
      const value = numbers(keys * columns);
      const expected = numbers(rows * stride);
      const scores = [...expected];
      tileScores(query, key, expected, 3, 12, padded, size, stride);
      products.scores(query, key, scores, 3, 12, padded, size, stride);
      expect(scores).toEqual(expected);
      const sums = numbers(rows * columns);
      const output = [...sums];
      tileValues(expected, value, sums, 3, 12, keys, columns, stride);
      products.values(expected, value, output, 3, 12, keys, columns, stride);
      expect(output).toEqual(sums);
    }
  }
});

test("needs as many elements as it says", () => {
  // Three rows and 6 keys of 5 elements, three rows of weights and 8 columns of 6.
  expect(RowProducts.elements(5, 6, 8)).toBe((3 + 6) * 5 + (3 + 8) * 6);
});

test("the weights of a row are those of expFloat32, −0 where a key is hidden and NaN for NaN", () => {
  const logits = [...numbers(40).map((x) => 30 * x), Number.NEGATIVE_INFINITY, -1e300, Number.NaN];
  const max = Math.max(...logits.filter((s) => !Number.isNaN(s)));
  const weights = [...logits];
  const statistics = {
    max: Float64Array.of(Number.NEGATIVE_INFINITY),
    sum: Float64Array.of(0),
    hidden: false,
    weightFactor: 1,
  };
  softmaxStep(weights, 0, 1, weights.length, statistics, 0, [0], 0, 1, false);
  const hidden = (s: number) => s === Number.NEGATIVE_INFINITY;
  expect(weights).toEqual(logits.map((s) => (hidden(s) ? -0 : expFloat32(s - max))));
  expect(statistics.hidden).toBe(true);
  expect(statistics.sum[0]).toBeNaN();
});
